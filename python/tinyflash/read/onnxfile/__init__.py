"""ONNX models: from the file to a float network, a rule per operator."""
