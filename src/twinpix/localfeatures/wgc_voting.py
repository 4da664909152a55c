"""Compiled loops of `find_pairs`: find pairs of images with enough matching keypoints, and estimate their transform.

Source: H. Jégou, M. Douze, C. Schmid, "Hamming embedding and weak geometric consistency for large scale image
search", ECCV 2008. Each keypoint match determines a similarity transform (scale, rotation, translation), so each match
is a hypothesis for which the other matches vote.
"""

from typing import Any

import numpy as np

from twinpix.search.kernels.jit import compiled, popcount

MOST = 512  # maximum keypoint matches per pair of images
_TRIED = 48  # maximum hypotheses per pair of images
_NEXT = 1000  # maximum matches of one keypoint with keypoints of one code
_OCTAVES, _TURN = 0.6, 0.4  # tolerance of an inlier in scale (octaves) and orientation (radians)
_ROUGH, _FINE = 0.09, 0.04  # inlier distance as a share of the longer side: for a hypothesis, for the fitted transform
_MIN_DISTANCE = 2.0  # pixels (L1): keypoints of one image that are closer to the previous inlier do not count
_COMMON = 48.0  # a code with more matching keypoints than this has a lower weight
_RARE = (
    8.0  # the same for the weight by which candidates are ordered: the letters of a caption are in every image of it
)
_BITS = 14  # maximum Hamming distance in guided matching, where the transform predicts the position
_LEAST, _OF = 3, 3  # if there are few keypoints: minimum inliers; and 1 / _OF of those of the image with fewer
_STRETCH = 2.0  # maximum anisotropy of a transform: the ratio of its singular values


@compiled()
def count_links(left: Any, counts: Any) -> None:
    """Add the number of links of each code `left` `(pairs,)` to `counts[code + 1]`."""
    for k in range(len(left)):
        counts[left[k] + 1] += 1


@compiled()
def append_links(left: Any, right: Any, mirrored: Any, ends: Any, linked: Any) -> None:
    """Write each code `right` as `code << 1 | mirrored` behind the links of its code `left`, which `ends` ends."""
    for k in range(len(left)):
        at = ends[left[k]]
        linked[at] = (right[k] << 1) | mirrored
        ends[left[k]] = at + 1


@compiled()
def count_matches(links: Any, linked: Any, posts: Any, common: Any) -> None:
    """Write the number of keypoints that match each code to `common` `(codes,)`, at least 1."""
    for u in range(len(common)):
        total = 0
        for e in range(links[u], links[u + 1]):
            v = linked[e] >> 1
            total += posts[v + 1] - posts[v]
        common[u] = max(total, 1)


@compiled()
def reach(first: Any, last: Any, starts: Any, code: Any, links: Any, linked: Any, posts: Any) -> Any:
    """Return the maximum number of keypoint matches of one of the images `first` to `last`."""
    largest = 0
    for a in range(first, last):
        total = 0
        for p in range(starts[a], starts[a + 1]):
            for e in range(links[code[p]], links[code[p] + 1]):
                v = linked[e] >> 1
                total += min(posts[v + 1] - posts[v], _NEXT)
        largest = max(largest, total)
    return largest


@compiled()
def vote(
    first: Any,
    last: Any,
    sets: Any,  # starts, owner, code, geometry (n, 4) of x, y, octaves, radians; image_sizes (images, 2); bits, mirror
    likes: Any,  # links, linked (code << 1 | mirrored); inverted lists posts, post; common: matching keypoints per code
    least: Any,  # minimum weight of the votes for a hypothesis; minimum number of inliers
    work: Any,  # (3, matches) int32, (matches,) int32
    out: Any,  # (most, 4) int32: i, j, inliers, mirrored; (most, 7) float32: weight, transform
) -> Any:
    """Write the candidate pairs of the images `first` to `last` with later images to `out`.

    Returns the next image and the number of pairs. Stops before an image whose pairs may not fit in `out`, which has
    room for the pairs of at least one image.
    """
    starts, owner, code, _, _, _, _ = sets
    links, linked, posts, post, common = likes
    pairs, order = work
    found = 0
    counts = np.zeros(len(starts), np.int32)
    touched = np.empty(len(starts), np.int32)
    room = (np.empty((MOST, 8), np.float32), np.empty(MOST, np.float32), np.zeros(MOST, np.bool_))
    seen = np.zeros(65536, np.int32)
    for a in range(first, last):
        n, others = 0, 0
        for p in range(starts[a], starts[a + 1]):
            u = code[p]
            for e in range(links[u], links[u + 1]):
                v = linked[e] >> 1
                low, high = posts[v], posts[v + 1]
                end = high
                while low < high:
                    middle = (low + high) // 2
                    if owner[post[middle]] <= a:
                        low = middle + 1
                    else:
                        high = middle
                for t in range(low, min(end, low + _NEXT)):
                    b = owner[post[t]]
                    if counts[b] == 0:
                        touched[others] = b
                        others += 1
                    counts[b] += 1
                    pairs[0, n], pairs[1, n], pairs[2, n] = b, p, (post[t] << 1) | (linked[e] & 1)
                    n += 1
        if found + others > len(out[0]):
            return a, found
        at = 0
        for k in range(others):
            b = touched[k]
            size = counts[b]
            counts[b] = at  # where its matches begin
            at += size
        for t in range(n):
            b = pairs[0, t]
            order[counts[b]] = t
            counts[b] += 1
        at = 0
        for k in range(others):
            b = touched[k]
            end = counts[b]
            counts[b] = 0
            if _may_agree(order[at:end], pairs, code, common, least[0]):
                found += _agree(a, b, order[at:end], pairs, sets, common, least, room, seen, out, found)
            at = end
    return last, found


@compiled()
def _may_agree(chosen, pairs, code, common, propose):  # type: ignore[no-untyped-def]
    """True if the matches of two images would reach `propose` if all plain, or all mirrored, matches agreed."""
    plain = mirrored = np.float32(0)
    for t in chosen:
        weight = min(np.float32(1), np.float32(_COMMON) / common[code[pairs[1, t]]])
        if pairs[2, t] & 1:
            mirrored += weight
        else:
            plain += weight
    return max(plain, mirrored) >= propose


@compiled()
def _agree(a, b, chosen, pairs, sets, common, least, room, seen, out, at):  # type: ignore[no-untyped-def]
    """Write the transform with the most inliers to `out[at]` and return 1; return 0 if there are not enough inliers."""
    starts, _, code, geometry, image_sizes, _, _ = sets
    rows, weight, fits = room
    propose, enough = least
    change, trial = np.empty(6, np.float32), np.empty(6, np.float32)
    best, wide = 0, image_sizes[b, 0]
    fewer = min(starts[a + 1] - starts[a], starts[b + 1] - starts[b])
    enough = min(enough, max(_LEAST, (fewer + _OF - 1) // _OF))
    longer = max(image_sizes[b, 0], image_sizes[b, 1])
    for mirrored in range(2):
        m = 0
        for t in chosen:
            if pairs[2, t] & 1 == mirrored and m < MOST:
                p, q = pairs[1, t], pairs[2, t] >> 1
                x, turn = geometry[q, 0], geometry[q, 3]
                if mirrored:
                    x, turn = wide - 1 - x, np.float32(np.pi) - turn
                rows[m, 0], rows[m, 1], rows[m, 2], rows[m, 3] = geometry[p, 0], geometry[p, 1], x, geometry[q, 1]
                rows[m, 4], rows[m, 5] = geometry[q, 2] - geometry[p, 2], turn - geometry[p, 3]
                rows[m, 6], rows[m, 7] = p - starts[a], q - starts[b]
                weight[m] = min(np.float32(1), np.float32(_COMMON) / common[code[p]])
                m += 1
        if m < 2:
            continue
        step = (m + _TRIED - 1) // _TRIED
        top = np.float32(0)
        for k in range(0, m, step):
            _guess(rows[k], trial)
            total, _ = _count(rows, weight, fits, m, rows[k, 4], rows[k, 5], trial, _ROUGH * longer, seen)
            if total > top:
                top = total
                for c in range(6):
                    change[c] = trial[c]
                octaves, turn = rows[k, 4], rows[k, 5]
        if top < propose:
            continue
        total, agreeing = _count(rows, weight, fits, m, octaves, turn, change, _ROUGH * longer, seen)
        _fit(rows, fits, m, change)
        for _ in range(2):
            m = _match_guided(a, b, mirrored, sets, common, change, octaves, turn, _ROUGH * longer, rows, weight)
            total, agreeing = _count(rows, weight, fits, m, octaves, turn, change, _ROUGH * longer, seen)
            _fit(rows, fits, m, change)
            total, agreeing = _count(rows, weight, fits, m, octaves, turn, change, _FINE * longer, seen)
            _fit(rows, fits, m, change)
        if agreeing < enough or agreeing <= best:
            continue
        best = agreeing
        out[0][at, 0], out[0][at, 1], out[0][at, 2], out[0][at, 3] = a, b, agreeing, mirrored
        out[1][at, 0] = total
        sign = np.float32(-1) if mirrored else np.float32(1)
        for k in range(3):
            out[1][at, 1 + k], out[1][at, 4 + k] = sign * change[k], change[3 + k]
        if mirrored:
            out[1][at, 3] += wide - 1
    return 1 if best > 0 else 0


@compiled()
def _match_guided(a, b, mirrored, sets, common, change, octaves, turn, far, rows, weight):  # type: ignore[no-untyped-def]
    """Guided matching: match each keypoint of `a` with the most similar keypoint near its predicted position in `b`.

    Returns the number of matches.
    """
    starts, _, code, geometry, image_sizes, bits, mirror = sets
    flip = mirror if mirrored else np.uint64(0)
    m = 0
    for p in range(starts[a], starts[a + 1]):
        x, y = geometry[p, 0], geometry[p, 1]
        u, v = change[0] * x + change[1] * y + change[2], change[3] * x + change[4] * y + change[5]
        nearest = _BITS + 1
        for q in range(starts[b], starts[b + 1]):
            down = geometry[q, 1] - v
            if abs(down) > far:
                continue
            across, angle = geometry[q, 0], geometry[q, 3]
            if mirrored:
                across, angle = image_sizes[b, 0] - 1 - across, np.float32(np.pi) - angle
            if (across - u) ** 2 + down * down > far * far:
                continue
            gap = int(popcount(bits[p] ^ bits[q] ^ flip))
            if gap >= nearest or abs(geometry[q, 2] - geometry[p, 2] - octaves) > _OCTAVES:
                continue
            turn_error = abs(angle - geometry[p, 3] - turn) % np.float32(2 * np.pi)
            if min(turn_error, np.float32(2 * np.pi) - turn_error) > _TURN:
                continue
            nearest = gap
            rows[m, 0], rows[m, 1], rows[m, 2], rows[m, 3] = x, y, across, geometry[q, 1]
            rows[m, 4], rows[m, 5] = geometry[q, 2] - geometry[p, 2], angle - geometry[p, 3]
            rows[m, 6], rows[m, 7] = p - starts[a], q - starts[b]
        if nearest <= _BITS:
            weight[m] = min(np.float32(1), np.float32(_RARE) / common[code[p]])
            m += 1
            if m == MOST:
                break
    return m


@compiled()
def _guess(row, change):  # type: ignore[no-untyped-def]
    """Write the similarity transform that one keypoint match determines."""
    scale = np.float32(2) ** row[4]
    c, s = scale * np.cos(row[5]), scale * np.sin(row[5])
    change[0], change[1], change[2] = c, -s, row[2] - (c * row[0] - s * row[1])
    change[3], change[4], change[5] = s, c, row[3] - (s * row[0] + c * row[1])


@compiled()
def _count(rows, weight, fits, m, octaves, turn, change, far, seen):  # type: ignore[no-untyped-def]
    """Return weight and number of the inliers of a transform, and mark them in `fits`; no keypoint counts twice."""
    total, agreeing = np.float32(0), 0
    for k in range(m):
        seen[int(rows[k, 7])] = 0
    last, x, y = -1, np.float32(-9), np.float32(-9)
    for k in range(m):
        fits[k] = False
        turn_error = abs(rows[k, 5] - turn) % np.float32(2 * np.pi)
        turn_error = min(turn_error, np.float32(2 * np.pi) - turn_error)
        if abs(rows[k, 4] - octaves) > _OCTAVES or turn_error > _TURN:
            continue
        dx = change[0] * rows[k, 0] + change[1] * rows[k, 1] + change[2] - rows[k, 2]
        dy = change[3] * rows[k, 0] + change[4] * rows[k, 1] + change[5] - rows[k, 3]
        if dx * dx + dy * dy > far * far or seen[int(rows[k, 7])]:
            continue
        p = int(rows[k, 6])
        if p == last or abs(rows[k, 0] - x) + abs(rows[k, 1] - y) < _MIN_DISTANCE:
            continue
        last, x, y = p, rows[k, 0], rows[k, 1]
        seen[int(rows[k, 7])] = 1
        fits[k] = True
        total += weight[k]
        agreeing += 1
    return total, agreeing


@compiled()
def _fit(rows, fits, m, change):  # type: ignore[no-untyped-def]
    """Fit the transform to the inliers by least squares.

    It is affine if there are at least 6 inliers that are not collinear and its anisotropy is at most `_STRETCH`; else
    it is a similarity. It is not changed if there are fewer than 2 inliers or all are at one position.
    """
    n = 0
    mx = my = mu = mv = 0.0
    for k in range(m):
        if fits[k]:
            n += 1
            mx += rows[k, 0]
            my += rows[k, 1]
            mu += rows[k, 2]
            mv += rows[k, 3]
    if n < 2:
        return
    mx, my, mu, mv = mx / n, my / n, mu / n, mv / n
    xx = xy = yy = xu = yu = xv = yv = 0.0
    for k in range(m):
        if fits[k]:
            x, y, u, v = rows[k, 0] - mx, rows[k, 1] - my, rows[k, 2] - mu, rows[k, 3] - mv
            xx, xy, yy = xx + x * x, xy + x * y, yy + y * y
            xu, yu, xv, yv = xu + x * u, yu + y * u, xv + x * v, yv + y * v
    if xx + yy < 1:
        return
    p, s = (xu + yv) / (xx + yy), (xv - yu) / (xx + yy)  # similarity: scale and rotation
    whole = (p, -s, s, p)
    det = xx * yy - xy * xy
    if n >= 6 and det > 0.02 * (xx + yy) ** 2:
        a, b = (xu * yy - yu * xy) / det, (yu * xx - xu * xy) / det
        c, d = (xv * yy - yv * xy) / det, (yv * xx - xv * xy) / det
        area, square = a * d - b * c, a * a + b * b + c * c + d * d
        if area > 0 and square < area * (_STRETCH + 1 / _STRETCH):
            whole = (a, b, c, d)
    change[0], change[1], change[3], change[4] = whole[0], whole[1], whole[2], whole[3]
    change[2], change[5] = mu - (whole[0] * mx + whole[1] * my), mv - (whole[2] * mx + whole[3] * my)
