"""What quantizing a float network costs, beside another quantizer."""
