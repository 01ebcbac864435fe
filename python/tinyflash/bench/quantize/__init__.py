"""The quantization benchmark: error of tinyflash's quantizer and of another one."""
