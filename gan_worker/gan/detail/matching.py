"""Patch matching: for each block of small maps the real block whose surroundings are most like its own.

All distances are sums of products of small whole numbers, which float32 holds exactly: so every device, and every
division into pieces, finds the same.
"""

from __future__ import annotations

import tensorflow as tf

from gan_worker.gan.networks.layers import circular_pad

# Side of a block and of what is compared, pixels of the small maps; so many are compared on each side beyond the block.
BLOCK, PATCH = 2, 6
MARGIN = (PATCH - BLOCK) // 2
# Rounds in which a block looks whether it could go on where a neighbour's source goes on, and what that is worth.
ROUNDS, CONTINUES = 2, 0.55
# Places of blocks that change in the same round are so far apart, pixels: pieces and sides are multiples of it.
ALIGNMENT = 2 * BLOCK
# How far a block depends on what lies around it, pixels of the small maps.
REACH = MARGIN + ROUNDS * BLOCK
# Largest whole number of a feature.
LARGEST = 127
# Blocks that are compared with all keys at once, and keys among which the best is found together.
AT_ONCE, GROUP = 1024, 128


def block_features(x: tf.Tensor, kernel: tf.Tensor, bias: tf.Tensor) -> tf.Tensor:
    """Features of all blocks of a circular picture.

    Args:
        x: (1, height, width, channels), sides even.
        kernel: (PATCH, PATCH, channels, features).
        bias: (features,).

    Returns:
        (height / 2, width / 2, features), whole numbers.
    """
    return _whole(tf.nn.conv2d(circular_pad(x, MARGIN), kernel, BLOCK, "VALID")[0] + bias)


def place_features(x: tf.Tensor, kernel: tf.Tensor, bias: tf.Tensor) -> tf.Tensor:
    """Features of blocks at every pixel of a picture that does not tile, where their surroundings lie inside it.

    Returns:
        (height - PATCH + 1, width - PATCH + 1, features); the block of a place begins MARGIN to its right and below.
    """
    return _whole(tf.nn.conv2d(x, kernel, 1, "VALID")[0] + bias)


def _whole(features: tf.Tensor) -> tf.Tensor:
    return tf.clip_by_value(tf.round(features), -LARGEST, LARGEST)


def nearest_keys(queries: tf.Tensor, keys: tf.Tensor) -> tf.Tensor:
    """Which key is nearest to each query.

    Args:
        queries: (count, features), whole numbers.
        keys: (keys, features), whole numbers; a multiple of GROUP.

    Returns:
        (count,) int32; of equally near ones the first.
    """
    # |q - k|² without what is the same for all keys, with one matrix product.
    halves = tf.reduce_sum(tf.square(keys), axis=1, keepdims=True) / 2
    table = tf.transpose(tf.concat([keys, -halves], axis=1))
    grouped = tf.reshape(tf.transpose(table), (-1, GROUP, tf.shape(table)[0]))
    count = tf.shape(queries)[0]
    ones = tf.ones((count, 1))
    padding = -count % AT_ONCE
    padded = tf.pad(tf.concat([queries, ones], axis=1), [[0, padding], [0, 0]])
    chunks = tf.reshape(padded, (-1, AT_ONCE, tf.shape(table)[0]))

    def best(chunk: tf.Tensor) -> tf.Tensor:
        scores = tf.matmul(chunk, table)
        # The best of each group first: looking for places in all of the table takes several times as long.
        tops = tf.reduce_max(tf.reshape(scores, (AT_ONCE, -1, GROUP)), axis=2)
        group = tf.argmax(tops, axis=1, output_type=tf.int32)
        inside = tf.einsum("qf,qgf->qg", chunk, tf.gather(grouped, group))
        return group * GROUP + tf.argmax(inside, axis=1, output_type=tf.int32)

    found = tf.map_fn(best, chunks, fn_output_signature=tf.int32, parallel_iterations=1)
    return tf.reshape(found, (-1,))[:count]


def coherent_sources(features: tf.Tensor, sources: tf.Tensor, places: tf.Tensor) -> tf.Tensor:
    """Let blocks go on where their neighbours' sources go on, where that is nearly as like.

    A few parallel rounds in place of a scan, so that pieces with a halo find what the whole finds. In each round every
    other block, as on a chessboard, compares its own source with those that continue its four neighbours', which stay
    as they are meanwhile; whatever continues a neighbour counts as nearer.

    Args:
        features: of the blocks, (rows, columns, features).
        sources: rows and columns in `places` of each block's source, (rows, columns, 2) int32.
        places: features of all sources, (source rows, source columns, features).

    Returns:
        As `sources`.
    """
    limits = tf.shape(places)[:2] - 1
    shifts = ((0, 1), (0, -1), (1, 1), (1, -1))
    rows, columns = tf.range(tf.shape(sources)[0]), tf.range(tf.shape(sources)[1])
    color = (rows[:, None] + columns[None]) % 2
    for turn in range(ROUNDS):
        candidates, allowed = [sources], [tf.ones(tf.shape(sources)[:2], tf.bool)]
        for axis, step in shifts:
            # The neighbour before (step 1) has its block to the left or above; this one goes on behind it.
            moved = tf.roll(sources, step, axis) + [
                step * BLOCK * (axis == 0),
                step * BLOCK * (axis == 1),
            ]
            inside = tf.reduce_all((moved >= 0) & (moved <= limits), axis=-1)
            candidates.append(tf.where(inside[..., None], moved, sources))
            allowed.append(inside)
        stacked = tf.stack(candidates)
        found = tf.gather_nd(places, stacked)
        distances = tf.reduce_sum(tf.square(found - features), axis=-1)
        continues = tf.reduce_any(
            tf.reduce_all(stacked[:1] == stacked[1:], axis=-1) & tf.stack(allowed[1:]), axis=0
        )
        own = tf.where(continues, CONTINUES, 1.0)[None]
        weights = tf.concat([own, tf.fill(tf.shape(distances[1:]), CONTINUES)], axis=0)
        costs = tf.where(tf.stack(allowed), distances * weights, distances.dtype.max)
        best = tf.where(color == turn % 2, tf.argmin(costs, axis=0, output_type=tf.int32), 0)
        sources = tf.gather(tf.transpose(stacked, (1, 2, 0, 3)), best, axis=2, batch_dims=2)
    return sources


def move_detail(detail: tf.Tensor, sources: tf.Tensor) -> tf.Tensor:
    """Put the real detail of each block's source into its place.

    Args:
        detail: of a real picture, (2 · height, 2 · width, channels).
        sources: of `coherent_sources`, (rows, columns, 2).

    Returns:
        (1, 4 · rows, 4 · columns, channels) float32.
    """
    side = 2 * BLOCK
    span = tf.range(side)
    corners = 2 * (sources + MARGIN)
    rows = corners[..., 0][:, None, :, None] + span[None, :, None, None]
    columns = corners[..., 1][:, None, :, None] + span[None, None, None, :]
    width = tf.shape(detail)[1]
    index = tf.reshape(rows * width + columns, (side * tf.shape(sources)[0], -1))
    flat = tf.reshape(detail, (-1, tf.shape(detail)[2]))
    return tf.cast(tf.gather(flat, index), tf.float32)[None]
