"""Writers: C source and .tflite files."""
