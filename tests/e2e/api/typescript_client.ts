// A client as an integrator writes one: it is compiled with the types made from /openapi.json, and
// run against the service. A line after @ts-expect-error must not compile.
import createClient from "openapi-fetch";
import type { components, paths } from "./sentinel.js";

declare const process: { env: Record<string, string>; exitCode: number };

type Problem = components["schemas"]["Problem"];
const headers = { Authorization: `Bearer ${process.env["SENTINEL_API_KEY"]}` };
const client = createClient<paths>({ baseUrl: process.env["SENTINEL_URL"]!, headers });

function check(holds: boolean, rule: string): void {
  if (holds) return;
  console.error(`not so: ${rule}`);
  process.exitCode = 1;
}

function payment(nameOrig: string): components["schemas"]["TransactionIn"] {
  const balances = { oldbalanceOrg: 10, oldbalanceDest: 0 };
  return { step: 37, type: "CASH_OUT", amount: 10, nameOrig, nameDest: "C2", ...balances };
}

// @ts-expect-error a member is missing
const incomplete: components["schemas"]["TransactionIn"] = { step: 1, type: "DEBIT", amount: 1 };
// @ts-expect-error no such type of payment
const unknownType: components["schemas"]["TransactionIn"] = { ...payment("C1"), type: "GIFT" };
check(!("nameOrig" in incomplete) && unknownType.step === 37, "the examples are what they are");

const batch = await client.POST("/score/batch", {
  body: { transactions: ["TEST-APPROVE", "TEST-REVIEW", "TEST-HIGH"].map(payment) },
});
const results = batch.data?.results ?? [];
check(results.map((one) => one.risk_band).join() === "low,medium,high", "the sandbox's bands");
const hour: string | null | undefined = results[2]?.top_features.find(
  (feature) => feature.name === "type",
)?.display_value;
check(hour === "CASH_OUT", "a category is shown as people know it");
const high = results[2]!;

const explained = await client.POST("/explain", { body: { transaction: payment("TEST-HIGH") } });
check(explained.data?.prediction_id === null, "an explained payment is not stored");
const sum = explained.data!.features.reduce((total, one) => total + one.contribution, 0);
check(explained.data!.base_value + sum === explained.data!.margin, "contributions add up");

const path = { id: high.transaction_id };
const given = await client.POST("/transactions/{id}/feedback", {
  params: { path },
  body: { label: "confirmed_fraud", rationale: "The customer did not make this payment." },
});
const label: "confirmed_fraud" | "false_positive" | "escalated" | undefined = given.data?.label;
check(label === "confirmed_fraud" && given.response.status === 201, "feedback is stored");
const seen = await client.GET("/transactions/{id}", { params: { path } });
check(seen.data?.feedback[0]?.label === label, "feedback is read back");
check(seen.data?.display_time === "day 1, 13:00", "a step is shown as a time");
const queue = await client.GET("/queue", { params: { query: { limit: 50 } } });
const waiting = queue.data?.items.map((item) => item.transaction_id) ?? [];
check(waiting.includes(results[1]!.transaction_id), "the case that is left waits");
check(!waiting.includes(high.transaction_id), "the settled case does not wait");

const refused = await client.POST("/score", { body: { ...payment("C1"), amount: -1 } });
const problem: Problem = refused.error!;
check(problem.type === "urn:sentinel:problem:invalid-request", "a problem has its type");
// @ts-expect-error no such type of problem
check(problem.type !== "urn:sentinel:problem:nonsense", "types are known to the compiler");
// @ts-expect-error errors may be left out
const errors: Problem["errors"] & object = problem.errors;
check(errors[0]?.field === "amount", "a problem names the field");
check(refused.response.headers.has("X-Request-ID"), "every reply has an id");

const nobody = createClient<paths>({ baseUrl: process.env["SENTINEL_URL"]! });
const unknown = await nobody.POST("/score", { body: payment("C1") });
check(unknown.error?.type === "urn:sentinel:problem:unauthenticated", "a key is needed");
check(unknown.error?.errors === undefined, "errors is left out without fields");

const ready = await client.GET("/readyz");
check(ready.data?.ready === true, "it is ready");
