"""The worker of Tilewright: trains a GAN on pictures and generates seamless PBR materials.

Three processes run what is here. The *client* (in Blender, or in the command line) asks, the *server* keeps the queue
and never loads TensorFlow, and its child, the *compute process*, does. The folders are named after what they are
about, and may import downwards only:

    cli                               the commands
    scenes   compute   doctor         batches; the compute process; what is wrong with an installation
    server   gan                      queue, journal, results; the networks and all that is done with them
    client   runs   styles   exports  who asks; the run folder; how a look is chosen; files for other tools
    materials   wire                  what a material is; the protocol
    (this folder)                     the vocabulary: errors, configs, progress, styles, JSON, whole files

TensorFlow is loaded by `gan` alone. What Blender loads is this folder, `materials`, `styles`, `scenes`, `exports`,
`client`, `wire` and `doctor.findings`: for these NumPy and pyzmq are enough.
"""

__version__ = "0.2.0"
