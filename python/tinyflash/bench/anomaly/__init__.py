"""What is normal here: MLPerf Tiny's anomaly network before and after it has adapted."""
