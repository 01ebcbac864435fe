"""Products for the builds of others: the library as other build systems expect it."""
