"""How well int8 training learns, measured against float training of the same layers."""
