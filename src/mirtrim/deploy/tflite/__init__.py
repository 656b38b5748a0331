"""Networks as .tflite files: lowering, quantising, writing.

`lowering` turns a traced PyTorch network into the few layers that microcontrollers know,
`quantising` chooses 8-bit numbers for them, `writing` packs them into a file.
"""
