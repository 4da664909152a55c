"""Every decision threshold of verification, read by `evidence`, `verify` and `match`: a frozen table, by concern.

A threshold is a number with which a measured quantity of a pair is compared, or which bounds or scales such a quantity:
with another value other pairs would be copies, or be described in other words. Other numbers are named constants of the
module that uses them: sizes at which images are compared (pixels of a pyramid, a block, a filter window), numbers of
iterations and samples, factors of regularisation, and constants of a formula (luma weights, the 0.5 between a pixel's
centre and its edge). `tests/test_thresholds.py` checks both: every field has its unit, reason, data and test, and no
module of `evidence` or `verify` has an unnamed float or compares with an unnamed number.

`Data` names data sets of `DATA`. `Test` is a test of the cases that need the threshold. Those of a class hold for each
field that does not state its own. `bench/thresholds.md`, which `bench/thresholds.py` writes, shows how much recall and
false matches change with ±20 % of each; it also names the thresholds that change none of its pairs.

Read a threshold as an attribute, where it is compared (`DECISION.min_blocks`), never into a constant of a module: only
then does `override_threshold` take effect.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

DATA = {
    "copies": "58 photos and drawings with 53 kinds of edits, and 100 photos with 34 kinds, pair by pair",
    "unrelated": "1,681 unrelated images of shared/images/dev/photos, with one false match among all pairs",
    "hard negatives": "25 pairs of different images that share much, drawn by tests/hard_negatives.py",
    "documents": "19 families of tests/documents.py, as drawn and as scans (bench/pages.py)",
    "gradients": "500 drawn gradients, none of them a copy of another one",
    "negatives": "58 photos and drawings, inverted and solarised (commit 26b5ce3)",
    "dark": "75 photos at 3, 6 and 12 % of their light, with half-size copies (commit 29e0b37)",
    "spots": "80 photos re-encoded, sharpened and lightened, and with another digit of 10 pixels (commit abb8979)",
    "near hashes": "copies of 120 photos, and 49 pairs of different images with near hashes (commit 8202105)",
    "shirts": "28 photos with a part in another colour, and copies down to JPEG 15 (commit e066d12)",
    "candidates": "2,616 candidate pairs of 60 photos with 45 edits, 80 of 1,000 photos without copies (decision 080)",
    "cameras": "7 clips of fixed cameras, 31 to 45 frames of each, and 100 drawn frames; same-sized pairs of copies",
    "natural": "108 labelled pairs of shared/images/dev/natural",
}
"""Names of the data sets that the thresholds were chosen or last checked on."""


@dataclass(frozen=True, slots=True)
class Alignment:
    """Robust alignment from keypoints, and which transforms are tried.

    Data: copies. Test: test_local.py::test_crops_rotations_mirrors_frames_and_captions_are_found
    """

    match_ratio: float = 0.8
    """Ratio of the nearest to the second nearest descriptor distance. Why: ambiguous keypoints of repeated patterns are
    matched at random (D. Lowe, IJCV 2004)."""
    inlier_distance: float = 4.0
    """Pixels of the smaller pyramid. Why: with less a bent or rescaled copy loses its inliers, with more RANSAC accepts
    a transform that is off by a block."""
    similarity_distance: float = 8.0
    """Pixels of the smaller pyramid, for the first fit, a similarity transform. Why: a copy that was stretched fits it
    roughly; the affine fit that follows is exact."""
    min_matches: int = 4
    """Keypoint matches. Why: three matches define an affine transform and confirm nothing."""
    affine_matches: int = 8
    """Inliers of the similarity transform. Why: an affine transform has six degrees of freedom, and fits three of fewer
    matches whatever they are."""
    min_area_ratio: float = 0.001
    """Area of one image in the other. Why: RANSAC may map all keypoints to one spot, where everything agrees."""
    affine_inliers: float = 0.8
    """Share of the inliers of the similarity transform. Why: an affine transform has two degrees of freedom more, and
    may follow a few outliers."""
    min_scale: float = 0.02
    """Smaller singular value of the transform. Why: a transform that flattens an image is no edit."""
    max_anisotropy: float = 4.0
    """Larger by the smaller singular value of the transform. Why: nobody stretches an image by more, but a fit to
    keypoints along a line does."""
    many_inliers: int = 40
    """Keypoints. Why: with so many that are also spread out, less of the overlap must agree. Test:
    test_verify.py::test_overlays_on_an_image_are_an_edit"""
    wide_spread: float = 0.3
    """Share of the overlap inside the hull of the inliers. Why: many inliers on a caption or a logo must not lower the
    agreement asked for. Data: copies, hard negatives. Test: test_verify.py::test_hard_negatives_are_not_copies"""
    many_inliers_factor: float = 0.77
    """Factor of the agreement asked for. Why: a copy with half of it drawn over agrees in about half of its blocks.
    Test: test_verify.py::test_overlays_on_an_image_are_an_edit"""
    orientation_distance: float = 0.025
    """Share of the longer side, at the corners. Why: keypoints are not exact: a transform so near to one of the eight
    orientations is replaced by it. Test: test_local.py::test_a_match_describes_the_edit"""
    orientation_loss: float = 0.05
    """Share of the overlap. Why: the orientation is preferred unless clearly less agrees on it. Test:
    test_local.py::test_a_match_describes_the_edit"""
    min_refined_share: float = 0.45
    """Share of the overlap that agrees before refinement. Why: of 1,964 copies found, no refined one began lower; it
    takes a quarter of the time that different pages take. Data: copies, documents."""
    scene_inliers: int = 12
    """Keypoints. Why: fewer agree by chance in unrelated images; with more the pair is called a similar scene. Data:
    unrelated. Test: test_verify.py::test_a_burst_is_the_same_scene_and_not_a_copy"""
    scene_spread: float = 0.18
    """Share of the overlap inside the hull of the inliers. Why: a logo or a caption in two images makes no common
    scene. Data: unrelated, hard negatives. Test: test_verify.py::test_hard_negatives_are_not_copies"""
    overdrawn_inliers: int = 60
    """Keypoints. Why: images that are drawn over so much that their blocks do not agree are found by their keypoints.
    Data: near hashes. Test: test_local.py::test_a_common_caption_is_not_a_match"""
    overdrawn_agreement: float = 0.7
    """Share of the textured blocks. Why: as before, how much must agree all the same: of annotated photos so much does,
    of other photos of one place 0.4 to 0.65. Data: near hashes. Test:
    test_local.py::test_a_common_caption_is_not_a_match"""
    shift_response: float = 0.05
    """Peak of the phase correlation. Why: a weaker peak is noise, and its shift means nothing. Test:
    test_verify.py::test_hard_negatives_are_not_copies"""
    max_shift: float = 0.7
    """Pixels of the smaller pyramid. Why: a pair on a transform that is off by a pixel is not refuted yet: another
    transform may fit. Test: test_verify.py::test_hard_negatives_are_not_copies"""


@dataclass(frozen=True, slots=True)
class ScreeningLimits:
    """Screening of a pair at 96 pixels, under the transform that keypoints gave.

    Data: candidates. Test: test_screening.py::test_unrelated_images_are_refuted_whatever_their_tones
    """

    min_agreement: float = 0.3
    """Mean agreement of the directions of edges, -1 to 1. Why: 2 of 2,616 pairs of copies have less, both screenshots
    of crops; of 69 candidate pairs of different photos 49 have less."""
    min_aligned_agreement: float = 0.4
    """Mean agreement, the larger of that under the transform of the candidate search and that under the transform of
    400 keypoints. Why: the copies that verification accepts have at least 0.41; of captions on different photos 6 in 10
    have less, of charts, stickers and brick walls 8 in 10. Data: candidates, hard negatives. Test:
    test_screening.py::test_photos_with_one_caption_are_refuted"""
    min_blocks: int = 12
    """Textured blocks. Why: the mean of fewer says little. Test:
    test_screening.py::test_images_with_little_texture_are_not_refuted"""
    min_energy: float = 1.0
    """Squared grey levels a pixel, of the gradient. Why: below it the directions are those of noise. Test:
    test_screening.py::test_images_with_little_texture_are_not_refuted"""
    min_coverage: float = 0.5
    """Share of the pixels of a block. Why: blocks at the edge of the overlap say little."""
    agreeing: float = 0.3
    """Agreement of the directions of edges in one block. Why: in fewer the sign is that of noise. Data: negatives.
    Test: test_screening.py::test_inverted_tones_are_detected"""
    min_opposed: float = 0.2
    """Share of the agreeing blocks. Why: in images that are not inverted fewer are opposed; where fewer are, in
    solarised photos, the others agree as they are, and are enough. Data: candidates, negatives. Test:
    test_screening.py::test_inverted_tones_are_detected"""


@dataclass(frozen=True, slots=True)
class Coarse:
    """The cheap comparison of two images at 64 × 64 pixels before verification.

    Data: near hashes. Test: test_documents.py::test_crops_and_small_rotations_agree_once_aligned
    """

    edit_features: float = 0.35
    """Standard deviations of the image. Why: a block that differs by more shows something else; a smaller step takes
    re-encoding and captions for it."""
    min_deviation: float = 8.0
    """Grey levels. Why: in an image with less contrast the noise of encoders would differ."""
    max_differing: float = 0.1
    """Share of the blocks. Why: a pair that a hash proposes and that differs in more is verified. Of 57 false pairs 51
    differ in more, of the true ones a fifth."""
    min_texture: float = 1.0
    """Grey levels of standard deviation in the overlap. Why: a blank overlap determines no gain."""
    min_coverage: float = 0.5
    """Share of a block's pixels that both images show. Why: the difference of a few pixels is chance."""
    min_overlap: float = 0.3
    """Share of the pixels. Why: ECC may move one image off the other until nothing is left to differ."""


@dataclass(frozen=True, slots=True)
class Registration:
    """Registration to a fraction of a pixel, and local normalisation.

    Data: documents. Test: test_documents.py::test_copies_of_documents_are_found
    """

    deviation_floor: float = 12.0
    """Grey levels of local standard deviation. Why: where an image varies less, its noise is not amplified to the
    contrast of print."""
    min_gradient: float = 0.02
    """Squared gradient, in local standard deviations a pixel. Why: flat pixels tell of no shift, and their noise pulls
    the solution to zero."""
    min_pixels: int = 50
    """Pixels with a gradient. Why: fewer do not determine the coefficients of the polynomials."""


@dataclass(frozen=True, slots=True)
class Blocks:
    """Block-wise normalised cross-correlation (NCC) on the overlap.

    Data: copies, unrelated. Test: test_verify.py::test_an_image_agrees_with_itself_and_not_with_another
    """

    min_texture: float = 3.0
    """Grey levels of standard deviation in a block. Why: noise of a flat area correlates with nothing, gradients with
    everything."""
    min_correlation: float = 0.6
    """NCC. Why: blocks of unrelated images seldom reach it, those of copies nearly always."""
    min_coverage: float = 0.6
    """Share of the block's pixels that both images show. Why: a correlation of a few pixels is chance. Data: copies.
    Test: test_local.py::test_crops_rotations_mirrors_frames_and_captions_are_found"""
    light_deviation: float = 6.0
    """Grey levels of standard deviation of the mean levels of agreeing blocks. Why: where these hardly vary, their
    correlation is noise. Data: copies, hard negatives. Test: test_verify.py::test_hard_negatives_are_not_copies"""


@dataclass(frozen=True, slots=True)
class Decision:
    """Whether the blocks that agree on a transform prove a copy: the gates of `hypothesis`.

    Data: hard negatives. Test: test_verify.py::test_hard_negatives_are_not_copies
    """

    min_agreement: float = 0.65
    """Share of the textured blocks, for `--verify` and `verify_pair`; `local` and `cascade` pass 1 minus their radius,
    which is the same at normal strictness. Why: unrelated images agree on fewer on every transform; harder edits leave
    two thirds. Data: copies, unrelated."""
    min_blocks: int = 6
    """Textured blocks. Why: fewer agree by chance. Data: gradients, unrelated. Test:
    test_verify.py::test_a_small_object_is_compared_at_higher_resolution"""
    min_overlap: float = 0.5
    """Share of the image that is shown more completely. Why: two parts of a wide image that share a strip are no
    copies."""
    min_smaller_overlap: float = 0.03
    """Share of the image that is shown less completely. Why: a small inset that is common to two images is not their
    subject."""
    area_factor: float = 0.8
    """Factor of the agreement asked for, by parts of equal area. Why: otherwise dense text outvotes a smooth image."""
    border_agreement: float = 0.55
    """Share of the textured blocks, plain borders included. Why: two images must not be reduced to a common detail by
    calling the rest a border."""
    border_agreement_exact: float = 0.35
    """The same where nearly all other blocks agree. Why: copies with wide borders and captions. Data: copies. Test:
    test_local.py::test_crops_rotations_mirrors_frames_and_captions_are_found"""
    light_correlation: float = 0.52
    """Correlation of the mean levels of agreeing blocks. Why: all blocks of one fabric agree, whatever stains are on
    it."""
    light_correlation_partial: float = 0.8
    """The same where each image shows more than the other. Why: parts of two walls of one brick agree; their shades do
    not."""
    flat_correlation: float = 0.3
    """Correlation of the mean levels of blocks without texture. Why: text over two different smooth backgrounds passes
    the block test."""
    min_isotropy: float = 0.01
    """Smaller by the larger eigenvalue of the structure tensor. Why: straight parallel edges agree in any two images.
    Data: unrelated. Test: test_verify.py::test_two_horizons_do_not_match_although_all_blocks_agree"""
    min_isotropy_recoloured: float = 0.05
    """The same where light or colour differs. Why: two horizons agree, with a few bends in them. Data: unrelated. Test:
    test_verify.py::test_two_horizons_do_not_match_although_all_blocks_agree"""
    line_blocks: int = 60
    """Agreeing blocks. Why: no more lie along one or two lines; with more, other light is allowed, and so is a crop in
    other colours that is not clear. Data: unrelated, hard negatives. Test:
    test_verify.py::test_two_horizons_do_not_match_although_all_blocks_agree"""
    part_blocks: int = 24
    """Textured blocks. Why: fewer cannot support a crop and a recolouring at once: soft blots agree in any part of each
    other. Data: gradients. Test: test_verify.py::test_a_smooth_gradient_is_not_a_crop_of_one_in_other_colours"""
    inside: float = 0.85
    """Share of an image that the other one shows. Why: periodic textures agree by chance on a part: with less, nothing
    may differ."""
    max_difference_partial: float = 0.01
    """Share of the overlap that differs. Why: the same, how much may differ all the same."""
    min_repetition: float = 0.9
    """Correlation of an image with itself at the best shift. Why: in an image that repeats itself a part agrees
    wherever it is laid: then nothing may differ. Chessboards, bricks and fabrics have 0.95 to 0.97, 99% of photos less
    than 0.88."""
    clear_agreement: float = 0.8
    """Share of the textured blocks. Why: with so much no other transform is tried: time, and a simpler description.
    Data: copies. Test: test_local.py::test_a_match_describes_the_edit"""
    exact_agreement: float = 0.95
    """Share of the textured blocks. Why: with so much the transform is as good as can be: what contradicts it refutes
    the pair. Data: documents. Test: test_documents.py::test_documents_with_a_few_different_fields_are_different"""
    max_flat_photo: float = 0.15
    """Share of the image without texture. Why: images with less are photos, and are not searched for exclusive content;
    pages and charts have twice as much. Data: documents, unrelated."""
    whole: float = 0.97
    """Share of either image. Why: an image that is the same in every place may stand for the other one in transitive
    matches. Data: copies. Test: test_verify.py::test_a_third_image_equal_to_one_of_the_pair_stands_for_it"""
    min_gain: float = 0.02
    """Share of the overlap that agrees. Why: a smaller gain does not justify a more complicated transform. Data:
    copies. Test: test_local.py::test_a_match_describes_the_edit"""
    difference_weight: int = 2
    """Factor of the share of the overlap that differs, subtracted from the agreement. Why: of two transforms on which
    as many blocks agree, the one that leaves less to explain is right. Data: copies. Test:
    test_local.py::test_a_match_describes_the_edit"""
    vignette_factor: float = 0.4
    """Factor of the agreement asked for. Why: with so much it can be seen whether one image has a vignette. Data:
    copies. Test: test_verify.py::test_an_image_with_vignetting_is_a_copy"""
    transitive_factor: float = 0.6
    """Factor of the agreement asked for. Why: two edits of one image may leave little in common; the third image has
    confirmed the transform. Data: copies. Test: test_verify.py::test_two_edits_match_via_their_original"""
    transitive_agreement: float = 0.9
    """Agreement of the third image with either one. Why: pages of one design agree less, and must not be joined by the
    empty page. Data: documents. Test: test_verify.py::test_pages_do_not_match_via_their_common_content"""
    transitive_overlap: float = 0.4
    """Share of what both show, borders left out. Why: the third image may be a small part of both, such as a logo.
    Data: copies. Test: test_verify.py::test_the_area_of_a_third_image_decides_unless_it_is_small"""
    transitive_filled: float = 0.5
    """Share of the blocks that agree. Why: images with so much texture are no pages, charts or windows. Data:
    documents, copies. Test: test_verify.py::test_pages_do_not_match_via_their_common_content"""


@dataclass(frozen=True, slots=True)
class ToneInversion:
    """Negatives and solarised images.

    Data: negatives. Test: test_verify.py::test_a_negative_matches_its_original_and_no_other_image
    """

    min_explained: float = 0.8
    """Correlation ratio. Why: levels of unrelated images explain less of each other. Data: negatives, unrelated."""
    first_explained: float = 0.3
    """Correlation ratio on the first transform. Why: before refinement a copy explains no more."""
    min_agreement: float = 0.8
    """Share of the textured blocks after the inversion. Why: a curve of any shape fits more pairs than gain and bias.
    Data: negatives, unrelated."""
    min_blocks: int = 24
    """Textured blocks after the inversion. Why: the same, for images with little texture. Data: negatives,
    unrelated."""
    min_range_pixels: int = 16
    """Pixels in a range of eight levels. Why: the mean of fewer is noise."""
    range_share: float = 0.005
    """Share of the pixels in a range that counts. Why: ranges of a few stray pixels do not make an image rich in tones.
    Test: test_verify.py::test_two_flags_of_one_design_are_not_negatives"""
    min_ranges: int = 8
    """Ranges that count, of 32. Why: of an image with a few colours any colour may stand for any other, as in flags of
    one design. Test: test_verify.py::test_two_flags_of_one_design_are_not_negatives"""
    fall_share: float = 0.2
    """Share of the curve's total variation. Why: a curve that hardly falls is no inversion."""
    fall_levels: int = 32
    """Grey levels. Why: the same: noise lets every curve fall by a few levels."""


@dataclass(frozen=True, slots=True)
class Photometric:
    """Tone curve, vignetting, and the removal of blur, light and lens distortion.

    Data: copies. Test: test_verify.py::test_an_image_with_vignetting_is_a_copy
    """

    vignette_gain: float = 0.75
    """Share of the residual of a tone curve alone. Why: a polynomial always leaves less; only a vignette leaves clearly
    less."""
    min_vignette: float = 1.5
    """Grey levels of residual. Why: below, encoder noise is taken for a vignette."""
    flat_coverage: float = 0.95
    """Share of a block that both images show. Why: at the rim of the overlap the mean of a block takes in other pixels.
    Data: hard negatives. Test: test_verify.py::test_hard_negatives_are_not_copies"""
    flat_share: float = 0.5
    """Share of the blocks without texture. Why: with fewer, the textured blocks decide alone. Data: hard negatives.
    Test: test_verify.py::test_hard_negatives_are_not_copies"""
    flat_deviation: float = 8.0
    """Grey levels of standard deviation of the flat blocks. Why: a single background has no levels to correlate. Data:
    hard negatives. Test: test_verify.py::test_hard_negatives_are_not_copies"""
    vignette_extent: float = 0.5
    """Share of the overlap's width and height that the samples span. Why: a polynomial that is extrapolated to the rest
    of the image says anything."""
    extent_quantile: float = 0.05
    """Quantile of the samples' rows and columns, at either end. Why: the same: a few samples at an edge do not span an
    overlap."""
    min_samples: int = 240
    """Pixels of agreeing blocks. Why: fewer give the 24 knots of a tone curve no 10 pixels each."""
    max_gain: float = 8.0
    """Factor of a pixel. Why: the polynomial must not amplify noise at a corner."""
    blur_gain: float = 0.8
    """Share of the mean difference. Why: a blur that leaves more was not the reason for the difference. Test:
    test_verify.py::test_blur_light_and_overlays_are_not_a_conflict"""
    light_sigma: float = 16.0
    """Pixels of Gaussian blur. Why: differences that are wider are light; with less, things are normalised away. Test:
    test_verify.py::test_blur_light_and_overlays_are_not_a_conflict"""
    flow_sigma: float = 12.0
    """Pixels of Gaussian blur of the optical flow. Why: so smooth a flow cannot turn one word into another. Data:
    copies, documents. Test: test_verify.py::test_a_non_affine_warp_of_a_photo_is_a_copy"""
    max_flow: float = 6.0
    """Pixels. Why: the same. Data: copies, documents. Test:
    test_verify.py::test_a_non_affine_warp_of_a_photo_is_a_copy"""


@dataclass(frozen=True, slots=True)
class LowTexture:
    """Gradients, silhouettes and masks: too few textured blocks, compared level by level.

    Data: gradients. Test: test_verify.py::test_low_texture_images_match_only_if_all_levels_agree
    """

    min_overlap: float = 0.85
    """Share of the image that is shown more completely. Why: a part of a gradient is found in any gradient."""
    min_smaller_overlap: float = 0.1
    """Share of the image that is shown less completely. Why: the same, for a crop. Test:
    test_verify.py::test_a_crop_of_a_low_texture_image_is_recognised_by_its_levels"""
    mean_difference: float = 2.5
    """Grey levels, mean of the overlap, in luma and in each channel. Why: encoders change less, another gradient
    more."""
    block_difference: float = 8.0
    """Grey levels, mean of any block. Why: the same: a small object on an empty background."""
    min_deviation: float = 10.0
    """Grey levels of standard deviation. Why: blank images are the same in every place and prove nothing."""


@dataclass(frozen=True, slots=True)
class ExclusiveContent:
    """Content that each image has where the other shows plain background: forms, charts, pages.

    Data: documents. Test: test_verify.py::test_hard_negatives_are_not_copies
    """

    whole: float = 0.95
    """Share of one image that the other one shows. Why: with less, two images may be parts of one repetitive texture,
    and nothing is normalised away. Data: hard negatives."""
    min_area: float = 0.0001
    """Share of the overlap. Why: less is noise. Data: documents, unrelated."""
    min_pixels: int = 64
    """Pixels of the overlap that are compared. Why: a share of fewer is of single pixels."""
    min_side: int = 8
    """Pixels of the overlap's shorter side. Why: the same, for narrow strips."""
    page_flat: float = 0.2
    """Share of the image without texture. Why: with more it is a page, a form, a chart or a window, and little may be
    left after normalisation. Test: test_verify.py::test_blur_light_and_overlays_are_not_a_conflict"""
    step: float = 24.0
    """Grey levels beyond everything around. Why: JPEG ringing stays below, print exceeds it."""
    flat_range: float = 14.0
    """Grey levels within 5 × 5 pixels. Why: a background with more is textured, and content is not exclusive there."""
    background_difference: float = 14.0
    """Grey levels. Why: the backgrounds must be the same, otherwise light differs and not content. Data: copies."""
    many_objects: int = 6
    """Connected components. Why: an edit adds fewer; forms and pages differ in more."""
    many_objects_factor: int = 3
    """Factor of the area. Why: the same, how much more they count."""
    min_object: int = 8
    """Pixels of a connected component. Why: smaller ones are noise."""
    filled: float = 0.33
    """Share of the blocks that agree. Why: with so much texture, solid areas that differ are overlays and not bars of a
    chart. Data: documents, copies. Test: test_verify.py::test_bars_of_two_charts_are_not_overlays"""
    max_overlays: int = 2
    """Solid areas on a plain background. Why: more are the bars of a chart. Data: hard negatives. Test:
    test_verify.py::test_bars_of_two_charts_are_not_overlays"""
    under_overlay: float = 0.01
    """Share of the overlap. Why: where both have content of their own under the overlays, these are bars of two charts.
    Data: hard negatives. Test: test_verify.py::test_bars_of_two_charts_are_not_overlays"""
    photo_light: float = 0.8
    """Share of the mean difference left after blur and light are removed. Why: a photo of which one is blurred or lit
    differently has no more left. Data: copies, unrelated. Test:
    test_verify.py::test_blur_light_and_overlays_are_not_a_conflict"""
    photo_flow: float = 0.8
    """The same after optical flow. Why: nine look-alikes of 1,681 images became copies at a looser value. Data:
    unrelated. Test: test_verify.py::test_blur_light_and_overlays_are_not_a_conflict"""
    page_light: float = 0.7
    """As for photos, of pages. Why: the bars of two charts can be normalised away. Test:
    test_verify.py::test_blur_light_and_overlays_are_not_a_conflict"""
    page_flow: float = 0.45
    """As for photos, of pages. Why: the same. Test: test_verify.py::test_blur_light_and_overlays_are_not_a_conflict"""
    page_area: float = 0.02
    """Share of the overlap with exclusive content, of pages. Why: with more, no normalisation is tried. Test:
    test_verify.py::test_blur_light_and_overlays_are_not_a_conflict"""


@dataclass(frozen=True, slots=True)
class Moments:
    """Two moments of one scene, as frames of a fixed camera are.

    Data: cameras, copies. Test: test_moments.py::test_edits_are_not_another_moment
    """

    max_shift: float = 0.01
    """Share of the longer side by which a corner is moved. Why: a camera on a tripod moves less; of crops and rotations
    the edges of the images differ."""
    min_steepness: float = 0.8
    """Ratio of the gradients of the rest. Why: a camera does not change its focus; of a blurred or sharpened copy
    texture looks like other content. Test:
    test_moments.py::test_edits_of_one_image_are_not_other_moments_of_each_other"""
    max_tone: float = 10.0
    """Grey levels that the tone curve changes. Why: exposure of a camera changes less; where a curve is steep, texture
    of a recoloured copy looks like other content. Test:
    test_moments.py::test_edits_of_one_image_are_not_other_moments_of_each_other"""
    max_rest: float = 4.0
    """Mean difference of the rest, in grey levels. Why: the background of a fixed camera differs by noise alone; with
    more the transform is inexact, and another one has to be tried. Test:
    test_moments.py::test_edits_of_one_image_are_not_other_moments_of_each_other"""
    step: float = 12.0
    """Grey levels beyond everything around. Why: noise of a camera and of JPEG stay below. Data: cameras. Test:
    test_moments.py::test_something_else_in_the_same_place_is_another_moment"""
    min_pixels: int = 40
    """Pixels of the core of an object. Why: fewer are the edge of something that both images show. Data: cameras. Test:
    test_moments.py::test_something_else_in_the_same_place_is_another_moment"""
    min_varied: float = 0.25
    """Share that is not of the three commonest levels. Why: a logo, a band and a plain background have less."""
    same_outline: float = 1.6
    """Ratio of the gradients along the outline. Why: letters on one image make 2 or more, frames of a camera at most
    1.5 in 19 of 20 places."""
    max_correlation: float = 0.3
    """Correlation of both images in the object. Why: a place that was blurred, lightened or made a mosaic is still the
    same; two objects make at most 0.2 in 19 of 20 places."""


@dataclass(frozen=True, slots=True)
class Overlays:
    """Stickers, bands, logos and lines on one of the images.

    Data: copies. Test: test_verify.py::test_blur_light_and_overlays_are_not_a_conflict
    """

    max_area: float = 0.12
    """Share of the overlap, of one solid overlay. Why: a larger one may be the subject. Data: copies, unrelated. Test:
    test_verify.py::test_hard_negatives_are_not_copies"""
    max_band_area: float = 0.3
    """Share of the overlap, of a band along an edge. Why: captions are larger than stickers."""
    band_span: float = 0.95
    """Share of the edge and of its own box that a band fills. Why: other large areas are no bands."""
    mean_difference: float = 2.5
    """Grey levels, mean of the pixels beside overlays. Why: a person before another background is no overlay. Test:
    test_verify.py::test_overlays_on_an_image_are_an_edit"""
    max_unlike: float = 0.03
    """Share of the pixels beside overlays that differ. Why: the same. Test:
    test_verify.py::test_overlays_on_an_image_are_an_edit"""
    mean_difference_flat: float = 1.0
    """Grey levels, as above, on a plain background. Why: there the pixels beside overlays are all the evidence. Test:
    test_verify.py::test_overlays_on_a_plain_background_are_an_edit"""
    max_unlike_flat: float = 0.001
    """Share of the pixels, as above, on a plain background. Why: the same. Test:
    test_verify.py::test_overlays_on_a_plain_background_are_an_edit"""
    texture: float = 3.0
    """Grey levels of standard deviation within 5 × 5 pixels. Why: above, a place has texture. Test:
    test_verify.py::test_overlays_on_a_plain_background_are_an_edit"""
    extra_texture: float = 0.1
    """Share of the covered pixels. Why: an overlay on a plain background covers no more texture than lies beside it.
    Test: test_verify.py::test_overlays_on_a_plain_background_are_an_edit"""
    max_count: int = 6
    """Solid overlays. Why: more of them are content. Data: copies, documents. Test:
    test_verify.py::test_hard_negatives_are_not_copies"""
    edit_features: float = 12.0
    """Grey levels. Why: a pixel that differs by more is part of an overlay; JPEG changes most pixels by less. Test:
    test_verify.py::test_overlays_on_a_plain_background_are_an_edit"""
    min_thickness: int = 36
    """Parts of the longer side. Why: what is thinner than this part is not solid: lines and letters. Test:
    test_verify.py::test_overlays_on_a_plain_background_are_an_edit"""
    ink_difference: float = 24.0
    """Grey levels. Why: above, a pixel belongs to drawn lines. Test:
    test_verify.py::test_two_drawings_in_one_colour_are_not_overlays_of_each_other"""
    ink_tolerance: float = 20.0
    """Grey levels beyond background and ink. Why: JPEG ringing along the lines."""
    max_ink_outliers: float = 0.002
    """Share of the drawn pixels. Why: of two drawings in one colour, either has lines that the other lacks. Test:
    test_verify.py::test_two_drawings_in_one_colour_are_not_overlays_of_each_other"""
    max_ink_area: float = 0.33
    """Share of the overlap. Why: an image that is drawn over by more is not verified by the rest."""
    min_transparency: float = -0.1
    """Share of the image that shows through the ink. Why: ink inverts nothing."""
    max_transparency: float = 0.9
    """Share of the image that shows through the ink. Why: with more there is no ink."""
    ink_fit: float = 6.0
    """Grey levels off the fitted ink. Why: pixels at the edges of lines are left out of the fit."""


@dataclass(frozen=True, slots=True)
class Ink:
    """Print against other print, at full resolution, in local variances (1 is the contrast of print).

    Data: documents. Test: test_documents.py::test_drawings_over_a_page_are_an_edit
    """

    min_energy: float = 0.5
    """Local variance of both images together. Why: with less a pixel has no ink. Test:
    test_documents.py::test_documents_with_a_few_different_fields_are_different"""
    softening: float = 0.3
    """Local variance. Why: faint ink has no clash, whatever its shape. Test:
    test_documents.py::test_copies_of_documents_are_found"""
    flattest: float = 0.3
    """Quantile of the local variance. Why: pixels below it have no ink, and their difference is noise, which is
    subtracted. Test: test_documents.py::test_copies_of_documents_are_found"""
    blur_gain: float = 0.995
    """Share of the difference in ink. Why: the next blur is tried while it leaves less. Test:
    test_documents.py::test_copies_of_documents_are_found"""
    clash: float = 0.25
    """Clash, 0 to about 1. Why: copies (JPEG 15, a fifth of the size, noise, scans) stay below, another number reaches
    0.5 to 1.2. Test: test_documents.py::test_documents_with_a_few_different_fields_are_different"""
    strong_clash: float = 0.5
    """Largest clash of a place. Why: the same. Test:
    test_documents.py::test_documents_with_a_few_different_fields_are_different"""
    min_area: int = 40
    """Pixels of a place that clash. Why: less is smaller than a stroke. Test:
    test_documents.py::test_documents_with_a_few_different_fields_are_different"""
    own_energy: float = 0.5
    """Local variance of one image. Why: with more there is ink that the other image may lack. Test:
    test_documents.py::test_documents_with_a_few_different_fields_are_different"""
    empty_energy: float = 0.08
    """Local variance of the other image. Why: with less there is none. Test:
    test_documents.py::test_documents_with_a_few_different_fields_are_different"""
    level_difference: float = 24.0
    """Grey levels. Why: print that was replaced differs by more; JPEG changes less."""
    energy_difference: float = 0.2
    """Share of the local variance that differs. Why: where the registration is not exact, edges differ without being
    other edges."""
    overlay_width: float = 0.055
    """Share of the shorter side, longer side of a box. Why: what is drawn over a page is larger than its print."""
    overlay_height: float = 0.045
    """Share of the shorter side, shorter side of a box. Why: the same."""
    print_height: float = 0.15
    """Share of the shorter side. Why: places that are higher are no print. Test:
    test_documents.py::test_documents_with_a_few_different_fields_are_different"""
    strip: float = 0.6
    """Share of the longer side that is taken for the shorter one. Why: print on tickets and other strips is not smaller
    for their shape. Test: test_documents.py::test_documents_with_a_few_different_fields_are_different"""
    enclosed: float = 0.85
    """Share of the differing ink inside the outlines. Why: a stamp or a drawing encloses what it covers."""
    minor_sign: float = 0.3
    """Share of the darker by the lighter ink, or the reverse. Why: with less the place was only drawn on."""
    solid_width: float = 0.025
    """Share of the shorter side. Why: a wider solid area was laid over the page."""
    solid_share: float = 0.6
    """Share of the differing ink that is solid. Why: the same."""
    max_roughness: float = 0.028
    """Median clash of all ink. Why: with more the image is a mosaic or smeared, and letters cannot be compared. Test:
    test_documents.py::test_copies_of_documents_are_found"""
    outline_gap: float = 0.006
    """Share of the shorter side. Why: outlines are closed over gaps where they cross print of their own colour."""


@dataclass(frozen=True, slots=True)
class Pages:
    """When two images are compared at full resolution, and what a clash means then.

    Data: documents. Test: test_documents.py::test_documents_with_a_few_different_fields_are_different
    """

    min_side: int = 32
    """Pixels of the overlap's shorter side. Why: smaller overlaps have no print, and local normalisation needs a
    window."""
    possible_clash: float = 0.2
    """Clash at the resolution of a pyramid. Why: with less the images are not decoded again."""
    likely_clash: float = 0.35
    """The same, of images that are no pages. Why: texture clashes more than print. Data: copies. Test:
    test_documents.py::test_another_number_plate_on_a_photo_is_a_named_edit"""
    edit_clash: float = 0.6
    """Largest clash of a place. Why: with more the place is named an edited region. Data: copies. Test:
    test_documents.py::test_another_number_plate_on_a_photo_is_a_named_edit"""
    same_place: float = 0.5
    """Pixels of a pyramid, at the corners. Why: images that are subtracted pixel by pixel must be aligned. Data: spots.
    Test: test_documents.py::test_one_changed_digit_of_a_time_stamp_is_a_named_edit"""


@dataclass(frozen=True, slots=True)
class Spots:
    """A small difference of two images of one size, such as another digit of a time stamp.

    Data: spots. Test: test_documents.py::test_one_changed_digit_of_a_time_stamp_is_a_named_edit
    """

    min_difference: int = 24
    """Grey levels. Why: encoders change single pixels by less."""
    noise_factor: float = 3.0
    """Factor of the noise. Why: strong compression changes many pixels by more."""
    noise_percentile: int = 99
    """Percentile of all differences, taken for the noise. Why: the same."""
    range_share: float = 0.3
    """Share of the levels within 9 × 9 pixels. Why: ringing and resampling at strong edges differ by less. Test:
    test_documents.py::test_a_spot_is_detected_at_any_brightness"""
    range_floor: int = 8
    """Grey levels that are added to these. Why: in flat areas the share of nothing is nothing."""
    min_area: int = 4
    """Connected pixels. Why: single pixels are noise."""


@dataclass(frozen=True, slots=True)
class Describe:
    """From measured differences to the words of a relation. They decide names, not matches, but for `spot`, `tone` and
    `colour`.

    Data: copies. Test: test_local.py::test_a_match_describes_the_edit
    """

    whole: float = 0.975
    """Share of an image that the other one shows. Why: a transform is not exact: with more nothing was cut off. Data:
    copies, natural."""
    min_pixels: int = 64
    """Pixels of the overlap that are compared. Why: shares of fewer are of single pixels."""
    min_side: int = 8
    """Pixels of the overlap's shorter side. Why: the same, for narrow strips."""
    min_angle: float = 0.75
    """Degrees. Why: smaller angles are errors of the transform."""
    same_scale: float = 0.012
    """Difference of a scale from 1. Why: the same."""
    same_aspect: float = 0.03
    """Difference of the ratio of both scales from 1. Why: rounding of sides to whole pixels."""
    rotated_corners: float = 0.8
    """Share of an image. Why: a rotated image loses its corners: only with less it was cropped too."""
    tone: float = 5.0
    """Grey levels of mean difference. Why: encoders change less, and an exposure more. Test:
    test_verify.py::test_an_image_with_vignetting_is_a_copy"""
    black: int = 4
    """Grey level. Why: darker pixels were clipped, and are no edit where tones differ. Test:
    test_verify.py::test_clipped_highlights_are_not_an_edit"""
    white: int = 251
    """Grey level. Why: the same at the other end. Test: test_verify.py::test_clipped_highlights_are_not_an_edit"""
    colour: float = 8.0
    """Levels of both colour differences together. Why: chroma subsampling changes less. Test:
    test_colours.py::test_colour_changes_are_named"""
    colour_quantile: float = 0.75
    """Quantile of all places. Why: a grey background stays grey, so that more than half of an image may not change.
    Test: test_verify.py::test_removed_colours_of_a_part_are_named"""
    blurred: float = 0.76
    """Ratio of the gradients' root mean squares. Why: JPEG and resampling blur less. Test:
    test_verify.py::test_blur_light_and_overlays_are_not_a_conflict"""
    sharpened: float = 1.3
    """The same. Why: JPEG ringing sharpens less."""
    sharpened_resized: float = 1.9
    """The same, of a resized image. Why: a reduced image is sharper at the pixels of the pyramid."""
    resized: float = 0.06
    """Difference of the scales from 1, or of the angle in quarter turns. Why: the same: from where an image counts as
    resized."""
    grain: float = 2.0
    """Grey levels in flat blocks. Why: JPEG noise is less."""
    grain_resized: float = 5.0
    """The same, of a resized image. Why: fine texture that a reduced image keeps looks like noise of it; one in ten of
    40 photos at a fifth of the size exceeds it, and as many with real noise of 15 levels do not. Test:
    test_verify.py::test_fine_texture_of_a_reduced_image_is_no_noise"""
    grain_flattest: float = 0.3
    """Quantile of the blocks' noise. Why: blocks below it have no texture that is taken for noise."""
    grain_coverage: float = 0.95
    """Share of a block that both images show unclipped. Why: clipped pixels have no noise."""
    grain_blocks: int = 8
    """Blocks. Why: the median of fewer is chance."""
    grain_black: int = 2
    """Grey level. Why: noise of darker pixels is clipped."""
    grain_white: int = 253
    """Grey level. Why: the same at the other end."""
    step: float = 24.0
    """Grey levels beyond everything around. Why: JPEG ringing stays below. Test:
    test_verify.py::test_overlays_on_an_image_are_an_edit"""
    spot: float = 0.0025
    """Share of the overlap. Why: less is noise, or is found at full resolution. Test:
    test_documents.py::test_another_number_plate_on_a_photo_is_a_named_edit"""
    all_over: float = 0.06
    """Share of the overlap. Why: encoders change less all over an image. Test:
    test_verify.py::test_blur_light_and_overlays_are_not_a_conflict"""
    everywhere: float = 0.5
    """Share of the blocks with a difference. Why: with more no region is named. Test:
    test_verify.py::test_blur_light_and_overlays_are_not_a_conflict"""
    block_pixels: int = 4
    """Pixels of a block of 256. Why: a block with fewer that differ counts as one without a difference. Test:
    test_verify.py::test_blur_light_and_overlays_are_not_a_conflict"""
    block_coverage: float = 0.5
    """Share of a block that both images show. Why: the same, of blocks at the rim of the overlap. Test:
    test_verify.py::test_blur_light_and_overlays_are_not_a_conflict"""
    unmarked: float = 0.25
    """Share of the overlap beside regions that differ. Why: sharpness and distortion are measured there, but on all of
    the overlap where less is left. Test: test_verify.py::test_overlays_on_an_image_are_an_edit"""
    box_quantile: float = 0.02
    """Quantile of the rows and columns that differ, at either end. Why: single pixels do not widen the box of a region.
    Test: test_verify.py::test_overlays_on_an_image_are_an_edit"""
    border_flat: float = 0.72
    """Share of the pixels outside the overlap with one of three levels. Why: with less they are image and not a border.
    Test: test_verify.py::test_a_background_that_continues_beyond_a_crop_is_not_a_border"""
    border_continues: float = 0.5
    """Share of the pixels along the border. Why: where so many continue the level beyond it, the border was part of the
    image. Test: test_verify.py::test_a_background_that_continues_beyond_a_crop_is_not_a_border"""
    border_step: int = 8
    """Grey levels. Why: the same: no step. Test:
    test_verify.py::test_a_background_that_continues_beyond_a_crop_is_not_a_border"""
    border_level: int = 4
    """Grey levels on either side that count as one. Why: the noise of encoders in a plain border. Test:
    test_verify.py::test_a_background_that_continues_beyond_a_crop_is_not_a_border"""
    misaligned: float = 3.0
    """Grey levels of mean difference. Why: with less nothing is left for a distortion to explain. Test:
    test_verify.py::test_a_non_affine_warp_of_a_photo_is_a_copy"""
    bent: float = 0.75
    """Share of the mean difference after optical flow. Why: with less left the image was distorted. Test:
    test_verify.py::test_a_non_affine_warp_of_a_photo_is_a_copy"""
    other_hue: float = 30.0
    """Levels of both colour differences together. Why: copies at JPEG 15, a half and a fifth of the size and with noise
    stay below in 0.985 of the places. Data: shirts. Test:
    test_colours.py::test_a_local_colour_change_and_an_exposure_change_are_named"""
    other_hue_area: float = 0.04
    """Share of the overlap. Why: the same; another shirt of a tenth of the image has 0.11. Data: shirts. Test:
    test_colours.py::test_a_local_colour_change_and_an_exposure_change_are_named"""
    same_point: float = 8.0
    """Pixels of a pyramid. Why: of a pair that is shown to the user, keypoints that are further from where the
    transform puts them are not shown as common. Test: test_explain.py::test_the_counted_keypoints_are_the_drawn_ones"""
    turned_gain: float = 1.5
    """Factor of the agreeing blocks. Why: of different images one is shown turned or mirrored only where clearly more
    agrees, since chance finds a little more among eight orientations. Data: unrelated. Test:
    test_explain.py::test_different_images_are_not_rotated_to_match_a_few_blocks"""


@dataclass(frozen=True, slots=True)
class Texture:
    """Flat areas, backgrounds, letters and dark images: properties of a single image.

    Data: documents. Test: test_documents.py::test_cards_of_one_design_are_not_grouped
    """

    page_background: float = 0.3
    """Share of the hull of all content. Why: with more plain background inside, things stand on it: letters of a page
    are no border. Data: copies, documents. Test: test_verify.py::test_hard_negatives_are_not_copies"""
    flat_range: int = 8
    """Grey levels. Why: a flat area varies by less: noise of encoders. Data: copies, documents. Test:
    test_verify.py::test_hard_negatives_are_not_copies"""
    card_background: float = 0.18
    """Share of the most frequent level. Why: cards and comics with many letters have a plain background too. Data: near
    hashes."""
    sheet_background: float = 0.6
    """Share of the most frequent level. Why: pages of few words, such as invoices. Test:
    test_documents.py::test_documents_with_a_few_different_fields_are_different"""
    background_levels: int = 9
    """Grey levels that count as the most frequent one. Why: the noise of encoders in a plain background."""
    min_letters: int = 30
    """Letters. Why: number plates, time stamps and captions have fewer. Data: documents, copies. Test:
    test_documents.py::test_another_number_plate_on_a_photo_is_a_named_edit"""
    ink_difference: int = 24
    """Grey levels. Why: ink and objects differ so much from the background. Data: near hashes, documents. Test:
    test_documents.py::test_words_on_an_object_on_a_plain_background_are_an_edit"""
    photo_range: int = 6
    """Grey levels within 3 × 3 pixels. Why: flat areas of charts and windows vary less. Data: near hashes, documents.
    Test: test_documents.py::test_words_on_an_object_on_a_plain_background_are_an_edit"""
    print_range: int = 64
    """Grey levels within 3 × 3 pixels. Why: the edges of letters and lines vary more. Data: near hashes, documents.
    Test: test_documents.py::test_words_on_an_object_on_a_plain_background_are_an_edit"""
    object_area: float = 0.05
    """Share of the image. Why: strokes of print have no inner pixels, an object has. Data: near hashes, documents.
    Test: test_documents.py::test_words_on_an_object_on_a_plain_background_are_an_edit"""
    object_texture: float = 0.55
    """Share of the inner pixels of ink. Why: of objects 0.58 to 0.88 is textured, of documents at most 0.5. Data: near
    hashes, documents. Test: test_documents.py::test_words_on_an_object_on_a_plain_background_are_an_edit"""
    row_letters: int = 3
    """Letters in a row. Why: spots and grass look like letters and stand in no rows. Data: near hashes, documents.
    Test: test_documents.py::test_a_photo_with_spots_is_not_a_page"""
    row_gap: float = 1.0
    """Heights of the taller of two letters. Why: the next letter of a row is closer. Data: near hashes, documents.
    Test: test_documents.py::test_a_photo_with_spots_is_not_a_page"""
    row_height: float = 0.5
    """Share of the taller height. Why: capitals are not twice as high as small letters. Data: near hashes, documents.
    Test: test_documents.py::test_a_photo_with_spots_is_not_a_page"""
    row_offset: float = 0.2
    """Heights. Why: letters of a row have a common base line, or a common upper edge. Data: near hashes, documents.
    Test: test_documents.py::test_a_photo_with_spots_is_not_a_page"""
    letter_height: int = 28
    """Pixels of a pyramid at 640 pixels. Why: larger things are no print."""
    letter_width: int = 56
    """The same, of the width. Why: letters of a word may touch each other."""
    letter_min_height: int = 3
    """The same. Why: smaller components are dots and noise. Test:
    test_documents.py::test_another_number_plate_on_a_photo_is_a_named_edit"""
    letter_min_area: int = 6
    """Pixels of a pyramid at 640 pixels. Why: the same. Test:
    test_documents.py::test_another_number_plate_on_a_photo_is_a_named_edit"""
    letter_contrast: int = 40
    """Grey levels off the background. Why: print is darker, or lighter."""
    letter_on_flat: float = 0.8
    """Share of a letter's pixels on a plain background. Why: leaves and gravel are as small as letters. Data: copies.
    Test: test_documents.py::test_another_number_plate_on_a_photo_is_a_named_edit"""
    letter_fill: float = 0.85
    """Share of its box that a letter fills. Why: squares and dots are no letters. Data: copies. Test:
    test_documents.py::test_another_number_plate_on_a_photo_is_a_named_edit"""
    letter_slack: int = 6
    """Pixels. Why: of the smallest letters, so many may be filled by blur beside. Test:
    test_documents.py::test_another_number_plate_on_a_photo_is_a_named_edit"""
    letter_flat_range: int = 16
    """Grey levels of the background around letters. Why: JPEG makes it vary by more than a background without
    letters."""
    dark_floor: int = 8
    """Grey level of the lightest places. Why: a darker image is noise. Data: dark. Test:
    test_dark.py::test_half_size_copies_of_dark_images_are_found_and_others_are_not"""
    dark_ceiling: int = 200
    """Grey level of the lightest places once brightened. Why: a pair is brightened so far that nothing is clipped.
    Data: dark. Test: test_dark.py::test_half_size_copies_of_dark_images_are_found_and_others_are_not"""
    lightest: float = 0.995
    """Quantile of the levels. Why: single hot pixels of a dark image do not make it light. Data: dark. Test:
    test_dark.py::test_half_size_copies_of_dark_images_are_found_and_others_are_not"""


ALIGNMENT = Alignment()
SCREENING = ScreeningLimits()
COARSE = Coarse()
REGISTRATION = Registration()
BLOCKS = Blocks()
DECISION = Decision()
TONE_INVERSION = ToneInversion()
PHOTOMETRIC = Photometric()
LOW_TEXTURE = LowTexture()
EXCLUSIVE = ExclusiveContent()
MOMENTS = Moments()
OVERLAYS = Overlays()
INK = Ink()
PAGES = Pages()
SPOTS = Spots()
DESCRIBE = Describe()
TEXTURE = Texture()

CONCERNS: dict[str, Any] = {
    name: value for name, value in list(globals().items()) if name.isupper() and hasattr(value, "__dataclass_fields__")
}
"""The table: name of each concern to its thresholds."""


@contextmanager
def override_threshold(concern: str, field: str, value: float) -> Iterator[None]:
    """Replace one threshold in this process for the duration of the block, for measurements and tests.

    Pyramids keep derived data that is computed once (`Pyramid.border`, `Pyramid.is_page`): make new ones in the block.
    """
    table = CONCERNS[concern]
    before = getattr(table, field)
    object.__setattr__(table, field, value)
    try:
        yield
    finally:
        object.__setattr__(table, field, before)
