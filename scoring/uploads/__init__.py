"""Files of events that people upload: what their cells mean, and the lines that come back."""
