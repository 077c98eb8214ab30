//! What somebody most likely meant to write.

/// The name among `known` that `written` was most likely meant to be.
pub fn nearest<'a>(written: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let fold = |s: &str| s.to_ascii_lowercase().replace('-', "_");
    // No name is as long as this, and the comparison takes the product of both lengths.
    if written.len() > 256 {
        return None;
    }
    let written = fold(written);
    let known: Vec<&str> = known.into_iter().collect();
    // The beginning of one name only.
    let mut begun = known.iter().filter(|name| fold(name).starts_with(&written));
    if let (4.., Some(name), None) = (written.len(), begun.next(), begun.next()) {
        return Some(name);
    }
    let bound = (written.chars().count() / 3).clamp(1, 3);
    known
        .into_iter()
        .filter(|name| name.len().abs_diff(written.len()) <= 4 * bound)
        .map(|name| (strsim::osa_distance(&written, &fold(name)), name))
        .filter(|(distance, _)| *distance <= bound)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}
