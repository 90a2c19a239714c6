"""What rules and lists cost, and the other ways to hold and evaluate them."""
