//! Other programs that change nftables, and the ends of clients and helpers.

use simbell_quota::protocol::{Counts, Reply};

use crate::fixture::*;

#[test]
fn an_owned_table_survives_whatever_others_do() {
    let lab = Lab::new();
    let link = lab.link("wwan0", 1);
    let helper = Helper::start(&lab, &[]);
    let mut client = helper.client();
    client.arm(1, &[&link], Counts::Both, 200);
    link.download(72);
    lab.near("nft add table inet other; nft add table ip simbell; nft flush ruleset");
    for change in [
        "delete table inet simbell",
        "flush table inet simbell",
        "flush map inet simbell received",
        "delete chain inet simbell prerouting",
        "add rule inet simbell prerouting drop",
    ] {
        let refused = lab.near(&format!("nft {change} 2>&1 || echo refused"));
        assert!(refused.contains("refused"), "{change}: {refused}");
    }
    assert_eq!(lab.tables(), "table inet simbell\n");
    client.nothing_said();
    link.download(72);
    client.crossed(1);
}

#[test]
fn a_change_of_a_shared_table_is_told_and_it_can_be_armed_anew() {
    let lab = Lab::new();
    let link = lab.link("wwan0", 1);
    let helper = Helper::start(&lab, &["--shared-table"]);
    let mut client = helper.client();
    for change in [
        "flush ruleset",
        "delete table inet simbell",
        "flush table inet simbell",
        "flush map inet simbell received",
        "delete element inet simbell sent { \"wwan0\" }",
        "add table inet simbell { flags dormant ; }",
    ] {
        client.arm(1, &[&link], Counts::Both, 200);
        client.arm(2, &[&lab.loopback()], Counts::Both, 200);
        lab.near(&format!("nft \"{}\"", change.replace('"', "\\\"")));
        assert!(matches!(client.hear(), Reply::Lost { .. }), "{change}");
        client.nothing_said();
        lab.cleared();
        client.arm(1, &[&link], Counts::Both, 100);
        client.nothing_said();
        link.download(72);
        client.crossed(1);
    }
    // Changes of others' tables, and additions to its own, are none of its business.
    client.arm(1, &[&link], Counts::Both, 100);
    lab.near("nft add table inet other; nft add table ip simbell; nft delete table inet other");
    lab.near("nft add counter inet simbell mine");
    client.nothing_said();
    link.download(72);
    client.crossed(1);
}

#[test]
fn a_flood_of_others_changes_hides_no_crossing() {
    let lab = Lab::new();
    let link = lab.link("wwan0", 1);
    let helper = Helper::start(&lab, &[]);
    let mut client = helper.client();
    // Each of these transactions is told in more messages than the socket has room for.
    let many: String = (0..60_000).map(|n| format!("add element inet other many {{ {n} }}\n")).collect();
    let batch = lab.socket().with_file_name("batch");
    std::fs::write(&batch, format!("add table inet other\nadd set inet other many {{ type mark; }}\n{many}"))
        .unwrap();
    for _ in 0..3 {
        client.arm(1, &[&link], Counts::Both, 100);
        std::thread::scope(|scope| {
            let flood =
                scope.spawn(|| lab.near(&format!("nft -f {}; nft delete table inet other", batch.display())));
            link.download(72);
            client.crossed(1);
            flood.join().unwrap();
        });
        client.nothing_said();
    }
}
