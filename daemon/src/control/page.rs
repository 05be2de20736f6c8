//! Lists in pages, small enough for any reader.

use serde::Serialize;
use simbell_api::PageParams;

/// About so many bytes of JSON go into a page; one item at least.
const PAGE_BYTES: usize = 12 * 1024;

/// The rows that a page of usage holds at most.
pub(super) const PAGE_ROWS: u32 = 64;

/// The parts that a page of an explanation holds at most.
pub(super) const PAGE_PARTS: u32 = 48;

/// Sorts `items` by `key`, which must be unique, and cuts the page that follows `after`.
pub(super) fn page<T: Serialize>(
    mut items: Vec<T>,
    key: impl Fn(&T) -> &str,
    params: &PageParams,
) -> (Vec<T>, Option<String>) {
    items.sort_by(|a, b| key(a).cmp(key(b)));
    if let Some(after) = &params.after {
        items.retain(|item| key(item) > after.as_str());
    }
    let limit = params.limit.and_then(|limit| usize::try_from(limit.max(1)).ok()).unwrap_or(usize::MAX);
    let mut bytes = 0_usize;
    let mut fits = 0_usize;
    for item in &items {
        bytes = bytes.saturating_add(serde_json::to_vec(item).map_or(0, |text| text.len()));
        if fits > 0 && (bytes > PAGE_BYTES || fits >= limit) {
            break;
        }
        fits = fits.saturating_add(1);
    }
    // What has the same key stays together: the next page begins after the key.
    let parted = |fits: usize| items.get(..fits).and_then(<[T]>::last).zip(items.get(fits));
    while parted(fits).is_some_and(|(last, next)| key(last) == key(next)) {
        fits = fits.saturating_add(1);
    }
    let more = fits < items.len();
    items.truncate(fits);
    let next = if more { items.last().map(|item| key(item).to_owned()) } else { None };
    (items, next)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(items: &[String], limit: Option<u32>) -> Vec<Vec<String>> {
        let mut pages = Vec::new();
        let mut params = PageParams { after: None, limit };
        loop {
            let (some, next) = page(items.to_vec(), |item| item, &params);
            pages.push(some);
            match next {
                Some(after) => params.after = Some(after),
                None => return pages,
            }
        }
    }

    #[test]
    fn every_item_comes_once_and_in_order() {
        let items: Vec<String> = (0..100).rev().map(|n| format!("{n:03}")).collect();
        let pages = all(&items, Some(7));
        assert_eq!(pages.len(), 15);
        let mut sorted = items.clone();
        sorted.sort();
        assert_eq!(pages.concat(), sorted);
    }

    #[test]
    fn what_has_the_same_key_is_in_one_page() {
        let items = ["b", "a", "b", "b"].map(str::to_owned);
        assert_eq!(all(&items, Some(2)), [vec!["a", "b", "b", "b"]]);
        assert_eq!(all(&items, Some(1)), [vec!["a"], vec!["b", "b", "b"]]);
    }

    #[test]
    fn a_page_is_bounded_by_bytes_and_holds_one_item_at_least() {
        let items: Vec<String> = (0..4).map(|n| format!("{n}{}", "x".repeat(PAGE_BYTES))).collect();
        assert!(all(&items, None).iter().all(|page| page.len() == 1));
        assert_eq!(all(&[], None), vec![Vec::<String>::new()]);
    }
}
