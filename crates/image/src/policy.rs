//! When a registry is asked, as ECS's agent decides it by default (`ECS_IMAGE_PULL_BEHAVIOR=default`: "the image is pulled
//! remotely; if the pull fails, the cached image is used"), save for images that never came from a registry. Pure.

use crate::names::Origin;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Policy {
    Use,
    Pull,
    PullOrUse,
    /// It is not here and there is nowhere to get it.
    Refuse,
}

/// `here`: where the image that is here came from.
pub fn decide(here: Option<Origin>, by_digest: bool, has_registry: bool) -> Policy {
    match here {
        Some(Origin::Loaded | Origin::Static) => Policy::Use,
        // What a digest stands for cannot have changed.
        Some(Origin::Pulled) if by_digest || !has_registry => Policy::Use,
        Some(Origin::Pulled) => Policy::PullOrUse,
        None if has_registry => Policy::Pull,
        None => Policy::Refuse,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_registry_is_asked_only_when_that_can_matter() {
        for (here, by_digest, has_registry, expected) in [
            (Some(Origin::Loaded), false, true, Policy::Use),
            (Some(Origin::Static), false, true, Policy::Use),
            (Some(Origin::Pulled), false, true, Policy::PullOrUse),
            (Some(Origin::Pulled), true, true, Policy::Use),
            (Some(Origin::Pulled), false, false, Policy::Use),
            (None, false, true, Policy::Pull),
            (None, true, true, Policy::Pull),
            (None, false, false, Policy::Refuse),
        ] {
            assert_eq!(decide(here, by_digest, has_registry), expected, "{here:?} {by_digest} {has_registry}");
        }
    }
}
