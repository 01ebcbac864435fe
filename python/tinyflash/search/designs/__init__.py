"""Networks found for a board and a data set, with the memory of training in the budget."""
