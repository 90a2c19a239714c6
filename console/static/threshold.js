// The sliders of the thresholds: each moves its number field, on the scale of log-odds.
"use strict";

for (const slider of document.querySelectorAll("input[type=range][data-for]")) {
  const field = document.getElementById(slider.dataset.for);
  const [low, high] = [Number(slider.dataset.low), Number(slider.dataset.high)];
  const end = Number(slider.max);
  // The decline threshold may be empty: then its slider stands at the right end.
  const mayBeEmpty = !field.required;

  const say = () => {
    slider.setAttribute("aria-valuetext", field.value === "" ? slider.dataset.never : `${field.value} %`);
  };
  const place = () => {
    const score = Number(field.value) / 100;
    const share = (Math.log(score / (1 - score)) - low) / (high - low);
    slider.value = field.value === "" ? end : Math.round(end * Math.min(Math.max(share, 0), 1));
    say();
  };
  slider.addEventListener("input", () => {
    const position = Number(slider.value);
    if (mayBeEmpty && position === end) {
      field.value = "";
    } else {
      const score = 1 / (1 + Math.exp(-(low + (high - low) * position / end)));
      field.value = Number((100 * score).toPrecision(score > 0.99 ? 4 : 3));
    }
    say();
  });
  field.addEventListener("input", place);
  place();
  slider.hidden = false;
}
