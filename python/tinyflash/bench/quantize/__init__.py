"""What quantising a float network costs, beside another quantiser."""
