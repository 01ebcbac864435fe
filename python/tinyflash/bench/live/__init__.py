"""What a replay buffer is worth: new wearers learned live, and what is forgotten of old ones."""
