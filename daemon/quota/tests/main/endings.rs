//! Nothing is left behind, however a client or the helper ends.

use simbell_quota::protocol::{Counts, Reply};

use crate::fixture::*;

#[test]
fn a_client_that_goes_takes_its_quotas_along() {
    let lab = Lab::new();
    let link = lab.link("wwan0", 1);
    for options in [[].as_slice(), &["--shared-table"]] {
        let mut helper = Helper::start(&lab, options);
        for _ in 0..3 {
            let mut client = helper.client();
            client.arm(1, &[&link], Counts::Both, 100);
            assert!(lab.tables().contains("simbell"));
            drop(client);
            // The next is not kept waiting by the one before.
            let mut client = helper.client();
            client.nothing_said();
            lab.cleared();
        }
        assert!(helper.lives());
    }
}

#[test]
fn a_helper_that_is_stopped_leaves_nothing() {
    let lab = Lab::new();
    let link = lab.link("wwan0", 1);
    for options in [[].as_slice(), &["--shared-table"]] {
        let mut helper = Helper::start(&lab, options);
        let mut client = helper.client();
        client.arm(1, &[&link], Counts::Both, 100);
        assert!(helper.terminate().success());
        assert_eq!(lab.tables(), "");
        assert!(!helper.socket.exists());
        assert_eq!(client.last_words(), "");
    }
}

#[test]
fn what_a_killed_helper_leaves_the_next_takes_away() {
    let lab = Lab::new();
    let link = lab.link("wwan0", 1);
    let mut helper = Helper::start(&lab, &[]);
    let mut client = helper.client();
    client.arm(1, &[&link], Counts::Both, 100);
    helper.kill();
    assert_eq!(lab.tables(), "", "the kernel takes an owned table away with its owner");

    let mut helper = Helper::start(&lab, &["--shared-table"]);
    helper.client().arm(1, &[&link], Counts::Both, 100);
    let mut client = helper.client();
    client.arm(1, &[&link], Counts::Both, 100);
    helper.kill();
    assert!(lab.tables().contains("simbell"));
    let helper = Helper::start(&lab, &[]);
    lab.cleared();
    let mut client = helper.client();
    client.arm(1, &[&link], Counts::Both, 100);
    link.upload(72);
    client.crossed(1);
}

#[test]
fn of_two_helpers_the_second_says_what_is_wrong() {
    let lab = Lab::new();
    let link = lab.link("wwan0", 1);
    let helper = Helper::start(&lab, &[]);
    let mut client = helper.client();
    client.arm(1, &[&link], Counts::Both, 100);
    let other = lab.socket().with_file_name("other.sock");
    let mut second = Helper::spawn(&lab, &[], &["--socket", other.to_str().unwrap()]);
    let (status, said) = second.ended();
    assert_eq!(status.code(), Some(1));
    assert!(said.contains("belongs to another program"), "{said}");
    link.upload(72);
    client.crossed(1);
}

#[test]
fn without_the_right_to_it_says_what_is_wrong_and_with_nothing_else_it_works() {
    let lab = Lab::new();
    let link = lab.link("wwan0", 1);
    std::os::unix::fs::chown(lab.socket().parent().unwrap(), Some(54_321), None).unwrap();
    let bare = ["setpriv", "--reuid=54321", "--regid=54321", "--clear-groups", "--bounding-set=-all"];
    let (status, said) = Helper::spawn(&lab, &bare, &[]).ended();
    assert_eq!(status.code(), Some(1));
    assert!(said.contains("CAP_NET_ADMIN"), "{said}");

    // As its unit runs it.
    let unit = [
        "setpriv",
        "--reuid=54321",
        "--regid=54321",
        "--clear-groups",
        "--bounding-set=-all,+net_admin",
        "--inh-caps=-all,+net_admin",
        "--ambient-caps=-all,+net_admin",
        "--no-new-privs",
    ];
    let helper = Helper::start_as(&lab, &unit, &[]);
    let mut client = helper.client();
    client.arm(1, &[&link], Counts::Both, 100);
    link.upload(72);
    assert_eq!(client.hear(), Reply::Crossed { id: 1 });
}
