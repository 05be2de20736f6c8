//! Crossings at the packet that makes them, each told once.

use simbell_quota::protocol::{Counts, QUOTAS_MOST, Reply, Request};

use crate::fixture::*;

#[test]
fn the_packet_that_crosses_is_told_and_none_before_it() {
    let lab = Lab::new();
    let link = lab.link("wwan0", 1);
    let helper = Helper::start(&lab, &[]);
    let mut client = helper.client();
    client.arm(1, &[&link], Counts::Both, 1_000);
    for _ in 0..3 {
        link.download(100);
        link.upload(100);
    }
    link.download(100);
    assert_eq!(7 * (100 + V4), 896);
    client.nothing_said();
    link.upload(75);
    client.nothing_said();
    // Exactly 1,000 now.
    assert_eq!(896 + 75 + V4, 999);
    client.arm(1, &[&link], Counts::Both, V4);
    link.download(0);
    client.crossed(1);
    link.download(1_400);
    client.nothing_said();
}

#[test]
fn each_direction_counts_where_it_was_asked_to_in_both_families() {
    let lab = Lab::with_v6();
    let link = lab.link("wwan0", 1);
    let helper = Helper::start(&lab, &[]);
    let mut client = helper.client();
    client.arm(1, &[&link], Counts::Download, 2 * (10 + V6));
    client.arm(2, &[&link], Counts::Upload, V4 + 10 + V6 + 10);
    link.download_v6(10);
    client.nothing_said();
    link.upload(10);
    link.upload(10 + 48 - 28 - 1);
    client.nothing_said();
    link.download_v6(10);
    client.crossed(1);
    link.upload_v6(0);
    client.crossed(2);
    // Neighbour discovery and the like would have shown as a crossing too early.
    link.download_v6(1_000);
    link.upload_v6(1_000);
    client.nothing_said();
}

#[test]
fn a_thousand_arms_in_place_are_told_once_each() {
    let lab = Lab::new();
    let link = lab.link("wwan0", 1);
    let helper = Helper::start(&lab, &[]);
    let mut client = helper.client();
    client.arm(1, &[&link], Counts::Both, 1);
    link.upload(0);
    client.crossed(1);
    let object = lab.near("nft list quotas table inet simbell");
    for round in 0_u64..1_000 {
        let bytes = 1 + round * 7_919 % 700;
        client.arm(1, &[&link], Counts::Both, bytes);
        let mut passed = 0;
        loop {
            // What passes before the limit is told by nothing, whatever the round before left over.
            let payload = round % 97;
            if round % 2 == 0 {
                link.download(usize::try_from(payload).unwrap());
            } else {
                link.upload(usize::try_from(payload).unwrap());
            }
            passed += payload + V4;
            if passed >= bytes {
                break;
            }
            client.nothing_said();
        }
        client.crossed(1);
        client.nothing_said();
    }
    let name = |listed: &str| {
        listed.split_whitespace().skip_while(|word| *word != "quota").nth(1).map(str::to_owned)
    };
    assert_eq!(
        name(&lab.near("nft list quotas table inet simbell")),
        name(&object),
        "the object stays, what it consumed too"
    );
}

#[test]
fn under_traffic_without_a_pause_each_arming_is_told_once() {
    let lab = Lab::new();
    let link = lab.link("wwan0", 1);
    let helper = Helper::start(&lab, &[]);
    let mut client = helper.client();
    std::thread::scope(|scope| {
        let (stop, stopped) = std::sync::mpsc::channel::<()>();
        let link = &link;
        scope.spawn(move || {
            while stopped.try_recv() == Err(std::sync::mpsc::TryRecvError::Empty) {
                link.download(200);
                link.upload(50);
            }
        });
        for round in 0_u64..500 {
            client.arm(1, &[link], Counts::Both, 1 + round * 31 % 5_000);
            client.crossed(1);
        }
        drop(stop);
    });
    client.nothing_said();
}

#[test]
fn several_links_share_a_quota_and_other_links_have_their_own() {
    let lab = Lab::new();
    // A name that a shell, a rule or a log could stumble over.
    let links = [lab.link("wwan0", 1), lab.link("a\"b;$(x)\u{1b}[2J", 2), lab.link("eth9", 3)];
    let helper = Helper::start(&lab, &[]);
    let mut client = helper.client();
    client.arm(1, &[&links[0], &links[1]], Counts::Both, 200);
    client.arm(2, &[&links[2]], Counts::Both, 200);
    links[0].download(72);
    links[2].download(172 - 1);
    client.nothing_said();
    links[1].upload(72);
    client.crossed(1);
    links[2].upload(0);
    client.crossed(2);
    // Another set of links under the same number: it begins anew.
    client.arm(1, &[&links[1]], Counts::Both, 100);
    links[0].download(500);
    client.nothing_said();
    links[1].download(72);
    client.crossed(1);
    client.say(&Request::Disarm { id: 1 });
    assert_eq!(client.hear(), Reply::Disarmed { id: 1 });
    links[1].download(500);
    client.nothing_said();
}

#[test]
fn a_renamed_link_is_the_same_link() {
    let lab = Lab::new();
    let link = lab.link("wwan0", 1);
    let helper = Helper::start(&lab, &[]);
    let mut client = helper.client();
    client.arm(1, &[&link], Counts::Both, 200);
    link.download(72);
    lab.near("ip link set wwan0 name other0");
    client.nothing_said();
    link.download(72);
    client.crossed(1);
}

#[test]
fn what_is_out_of_bounds_is_refused_and_hurts_nothing() {
    let lab = Lab::new();
    let link = lab.link("wwan0", 1);
    let helper = Helper::start(&lab, &[]);
    let mut client = helper.client();
    client.arm(0, &[&link], Counts::Download, 100);
    let refused = |client: &mut Client, request: &str| {
        std::io::Write::write_all(&mut client.stream, format!("{request}\n").as_bytes()).unwrap();
        match client.hear() {
            Reply::Refused { id: Some(7), kind, .. } => kind,
            other => panic!("{other:?}"),
        }
    };
    let many = (1..=17).map(|n| n.to_string()).collect::<Vec<_>>().join(",");
    for (links, bytes) in [
        ("[]", "5"),
        ("[0]", "5"),
        ("[4294967295]", "5"),
        ("[5]", "0"),
        ("[5]", "18446744073709551615"),
        (&many, "5"),
    ] {
        let links = if links.starts_with('[') { links.to_owned() } else { format!("[{links}]") };
        let request =
            format!("{{\"arm\":{{\"id\":7,\"links\":{links},\"counts\":\"both\",\"bytes\":{bytes}}}}}");
        assert_eq!(refused(&mut client, &request), "invalid", "{request}");
    }
    let index = link.index;
    let request = format!("{{\"arm\":{{\"id\":7,\"links\":[{index}],\"counts\":\"both\",\"bytes\":5}}}}");
    assert_eq!(refused(&mut client, &request), "link-taken");
    // An index that no interface has, yet: armed, and never crossed.
    for id in 1..u32::try_from(QUOTAS_MOST).unwrap() {
        let links = vec![10_000 + id];
        let arm = simbell_quota::protocol::Arm { id: 1_000 + id, links, counts: Counts::Both, bytes: 1 };
        client.say(&Request::Arm(arm));
        assert_eq!(client.hear(), Reply::Armed { id: 1_000 + id });
    }
    let request = "{\"arm\":{\"id\":7,\"links\":[9999],\"counts\":\"both\",\"bytes\":5}}";
    assert_eq!(refused(&mut client, request), "too-many");
    link.download(72);
    client.crossed(0);
}
