"""What is compared: each contender is a process of its own that answers lines with lines.

The files beside this one are either a contender's program (`plain`, `tuned`, `onnx`, `infinity`,
`ours`, `celery` and the measuring ones: `gemm`, `tokenizing`, `stages`, `gpu`) or what programs
are started with (`worker`, `environments`, `model`) and speak with (`speaking`).
"""
