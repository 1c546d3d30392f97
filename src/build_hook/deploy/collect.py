"""Collecting what no roll-back needs: images, records and logs of our own, nothing else."""

import contextlib
import dataclasses
from collections.abc import Iterable

from build_hook import part, settings
from build_hook.deploy import buildlog, confided, images
from build_hook.store import builds, lingering, parts


@dataclasses.dataclass(frozen=True, slots=True)
class Removed:
    """What a collection removed."""

    images: int
    builds: int


def tidy(
    of: str, with_settings: settings.Settings, store: builds.Builds, shelf: images.Images
) -> Removed:
    """Keep the newest versions that were live, and whatever serves, served last or is under way.

    The image of a build that never was live goes at once: nobody goes back to it.
    """
    serving = store.serving().get(of)
    needed = [store.get(b) for b in (serving.build, serving.previous) if b] if serving else []
    needed += store.running()
    good = store.went_live(of, with_settings.keep_images)
    builders = {build.id for build in (*needed, *good)}
    # a roll-back runs from the image of another build
    images_needed = {build.image for build in (*needed, *good)}
    images_needed |= _of_services(builders, with_settings)
    # an image of a service tells no build: it may be made at this moment
    builders |= {0} if any(build.project == of for build in store.running()) else set()
    there = shelf.all(of)
    # one tag is enough to keep what was pulled
    images_needed -= {one.id for one in there if one.is_pulled and one.build in builders}
    removed = 0
    for image in there:
        if image.build not in builders and image.id not in images_needed:
            removed += shelf.remove(image)
    here = {image.id for image in shelf.all(of)} | _whole((*needed, *good), with_settings, shelf)
    store.note_images(of, here)
    gone = store.forget_old(of, with_settings.keep_builds)
    for build in gone:
        buildlog.path(with_settings.logs, build).unlink(missing_ok=True)
    _forget_secrets(of, builders, with_settings, store)
    return Removed(removed, len(gone))


def _of_services(of: Iterable[int], with_settings: settings.Settings) -> set[str]:
    """The images that builds of compose projects have; one may be many builds'."""
    with contextlib.closing(parts.Parts(with_settings.database)) as known:
        return known.images(of)


def _forget_secrets(
    of: str, builders: Iterable[int], with_settings: settings.Settings, store: builds.Builds
) -> None:
    """Keep those of what runs, whatever it runs for, and of all that can be gone back to."""
    units = (row for unit, row in store.serving().items() if part.root(unit) == of)
    needed = {build for row in units for build in (row.build, row.previous) if build}
    needed |= {b.id for b in store.recent(of, -1) if b.phase is builds.Phase.LIVE and b.has_image}
    with contextlib.closing(lingering.Lingering(with_settings.database)) as held:
        needed |= {version.build for version in held.all()}
    confided.Confided(with_settings).tidy(of, needed.union(builders))


def _whole(
    of: Iterable[builds.Build], with_settings: settings.Settings, shelf: images.Images
) -> set[str]:
    """What stands for the images of builds of several services, where all of them are here."""
    with contextlib.closing(parts.Parts(with_settings.database)) as known:
        made = [(build.image, known.of(build.id)) for build in of]
    return {
        name
        for name, pieces in made
        if name is not None and pieces and all(shelf.exists(piece.image) for piece in pieces)
    }
