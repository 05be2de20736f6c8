//! The kernel's counters against what `ip` and nftables say, on veth pairs in a namespace of their own.

use std::net::UdpSocket;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use futures_util::FutureExt;
use simbell_core::counter::{LinkCounters, LinkEnd, LinkReading};
use simbell_core::ident::IfIndex;
use simbell_modem::links::{LinkEvent, Links};

use crate::netns::{Neighbour, inside, run};

const PEER: &str = "10.9.0.2:9999";
/// IPv4 and UDP headers.
const HEADERS: u64 = 28;

fn veth(name: &str, options: &str) {
    run(&format!("ip link add {name} {options} address 02:00:00:00:00:01 type veth peer name {name}-far"));
    run(&format!("ip addr add 10.9.0.1/24 dev {name}"));
    run(&format!("ip link set {name}-far up"));
    run(&format!("ip link set {name} up"));
    run(&format!("ip neigh replace 10.9.0.2 lladdr 02:00:00:00:00:02 dev {name} nud permanent"));
}

fn send(datagrams: u64, payload: usize) {
    let socket = UdpSocket::bind("10.9.0.1:0").unwrap();
    for _ in 0..datagrams {
        socket.send_to(&vec![0; payload], PEER).unwrap();
    }
}

fn named<'a>(readings: &'a [LinkReading], name: &str) -> &'a LinkReading {
    readings
        .iter()
        .find(|reading| reading.name == name)
        .unwrap_or_else(|| panic!("no {name} in {readings:?}"))
}

fn ip_says(name: &str) -> LinkCounters {
    let json: serde_json::Value =
        serde_json::from_str(&run(&format!("ip -j -s link show dev {name}"))).unwrap();
    let figure = |way: &str, what: &str| json[0]["stats64"][way][what].as_u64().unwrap();
    LinkCounters {
        rx_bytes: figure("rx", "bytes"),
        rx_packets: figure("rx", "packets"),
        tx_bytes: figure("tx", "bytes"),
        tx_packets: figure("tx", "packets"),
    }
}

async fn next(links: &mut Links) -> LinkEvent {
    tokio::time::timeout(Duration::from_secs(10), links.event()).await.expect("an event within 10 s").unwrap()
}

#[test]
fn a_sample_does_not_take_a_link_for_another_of_the_same_index() {
    inside("links::a_sample_does_not_take_a_link_for_another_of_the_same_index", async || {
        let mut links = Links::open().unwrap();
        veth("wwan0", "index 77");
        for _ in 0..2 {
            assert!(matches!(next(&mut links).await, LinkEvent::Appeared(_)));
        }
        send(100, 1200);
        let before = links.sample().unwrap();
        let before = named(&before, "wwan0");
        assert_eq!((before.ifindex, before.counters), (IfIndex(77), ip_says("wwan0")));
        run("ip link del wwan0");
        veth("wwan0", "index 77");
        // Nobody has looked at the kernel's news yet.
        assert!(links.sample().unwrap().iter().all(|reading| reading.ifindex != IfIndex(77)));
        let mut told = Vec::new();
        while let Some(event) = links.come_upon() {
            told.push(event);
        }
        let gone = told.iter().find_map(|event| match event {
            LinkEvent::Vanished(end) if end.reading.ifindex == IfIndex(77) => {
                Some(end.reading.counters.tx_bytes)
            }
            _ => None,
        });
        assert_eq!(gone, Some(before.counters.tx_bytes), "{told:?}");
        assert!(told.iter().any(|e| matches!(e, LinkEvent::Appeared(link) if link.ifindex == IfIndex(77))));
        assert_eq!(named(&links.sample().unwrap(), "wwan0").counters, ip_says("wwan0"));
    });
}

#[test]
fn readings_equal_what_ip_and_nftables_count() {
    inside("links::readings_equal_what_ip_and_nftables_count", async || {
        let mut links = Links::open().unwrap();
        run("nft add table inet count");
        run("nft add chain inet count out { type filter hook output priority 0 ; }");
        run("nft add rule inet count out oifname wwan0 counter");
        veth("wwan0", "");
        for _ in 0..2 {
            assert!(matches!(next(&mut links).await, LinkEvent::Appeared(_)));
        }
        send(1000, 1200);
        let readings = links.read(None).unwrap();
        let reading = named(&readings, "wwan0");
        assert_eq!(reading.counters, ip_says("wwan0"));
        assert_eq!(reading.counters.tx_packets, 1000);
        assert!(reading.ethernet);
        let nft: serde_json::Value = serde_json::from_str(&run("nft -j list chain inet count out")).unwrap();
        let counted = nft["nftables"][2]["rule"]["expr"][1]["counter"]["bytes"].as_u64().unwrap();
        assert_eq!(reading.ip_bytes(), (0, counted));
        assert_eq!(counted, 1000 * (1200 + HEADERS));
        let far = named(&readings, "wwan0-far");
        assert_eq!(far.counters.rx_bytes, reading.counters.tx_bytes);
        assert_eq!(links.read(Some(&[reading.ifindex])).unwrap(), std::slice::from_ref(reading));
        assert_eq!(links.read(Some(&[])).unwrap(), []);
    });
}

#[test]
fn a_deleted_link_tells_its_final_counters_exactly() {
    inside("links::a_deleted_link_tells_its_final_counters_exactly", async || {
        for round in 1..=20_u64 {
            veth("wwan0", "");
            let mut links = Links::open().unwrap();
            send(100 * round, 500);
            run("ip link del wwan0");
            let mut finals = Vec::new();
            while finals.len() < 2 {
                match next(&mut links).await {
                    LinkEvent::Vanished(end) => finals.push(end.reading),
                    other => panic!("only vanishing was to be seen, not {other:?}"),
                }
            }
            let near = named(&finals, "wwan0");
            assert_eq!(near.ip_bytes(), (0, 100 * round * (500 + HEADERS)));
            assert_eq!(links.read(None).unwrap().len(), 1, "only lo is left");
        }
    });
}

#[test]
fn a_veth_end_that_was_in_use_says_that_it_sets_back_what_it_received() {
    inside("links::a_veth_end_that_was_in_use_says_that_it_sets_back_what_it_received", async || {
        for in_use in [true, false] {
            veth("wwan0", "");
            run("ip addr add 10.8.0.1/24 dev wwan0-far");
            run("ip neigh replace 10.8.0.2 lladdr 02:00:00:00:00:01 dev wwan0-far nud permanent");
            let far = UdpSocket::bind("10.8.0.1:0").unwrap();
            let mut links = Links::open().unwrap();
            let receive = || assert_eq!(far.send_to(&[0; 100], "10.8.0.2:9").unwrap(), 100);
            send(2, 100);
            (0..5).for_each(|_| receive());
            let read = links.read(None).unwrap();
            assert_eq!(named(&read, "wwan0").ip_bytes(), (5 * (100 + HEADERS), 2 * (100 + HEADERS)));
            if in_use {
                // This is lost; what goes the other way shows that something may be.
                (0..3).for_each(|_| receive());
                send(1, 100);
            }
            run("ip link del wwan0");
            let end = loop {
                if let LinkEvent::Vanished(end) = next(&mut links).await
                    && end.reading.name == "wwan0"
                {
                    break end;
                }
            };
            let sent = if in_use { 3 } else { 2 };
            assert_eq!(end.reading.ip_bytes(), (5 * (100 + HEADERS), sent * (100 + HEADERS)));
            assert_eq!(end.set_back, in_use);
        }
    });
}

#[test]
fn deletion_under_traffic_loses_nothing_the_link_has_sent() {
    inside("links::deletion_under_traffic_loses_nothing_the_link_has_sent", async || {
        veth("wwan0", "");
        let mut links = Links::open().unwrap();
        let (accepted, stop) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
        let sender = std::thread::spawn({
            let (accepted, stop) = (accepted.clone(), stop.clone());
            let socket = UdpSocket::bind("10.9.0.1:0").unwrap();
            move || {
                while !stop.load(Ordering::Relaxed) && socket.send_to(&[0; 200], PEER).is_ok() {
                    accepted.fetch_add(1, Ordering::SeqCst);
                }
            }
        });
        let mut last = LinkCounters::default();
        while last.tx_packets < 2000 {
            last = named(&links.read(None).unwrap(), "wwan0").counters;
        }
        run("ip link del wwan0");
        let gone = loop {
            if let LinkEvent::Vanished(end) = next(&mut links).await
                && end.reading.name == "wwan0"
            {
                break end.reading;
            }
        };
        stop.store(true, Ordering::Relaxed);
        sender.join().unwrap();
        let sent = accepted.load(Ordering::SeqCst);
        assert!(gone.counters.tx_packets >= last.tx_packets);
        // Between the last packet that left and the sender's notice a few are accepted and dropped unsent.
        assert!(gone.counters.tx_packets <= sent + 1, "{} of {sent}", gone.counters.tx_packets);
        assert_eq!(gone.ip_bytes().1, gone.counters.tx_packets * (200 + HEADERS));
    });
}

#[test]
fn flags_are_no_event_and_a_rename_is_no_new_link() {
    inside("links::flags_are_no_event_and_a_rename_is_no_new_link", async || {
        veth("wwan0", "");
        let mut links = Links::open().unwrap();
        let index = named(&links.read(None).unwrap(), "wwan0").ifindex;
        run("ip link set wwan0 down");
        run("ip link set wwan0 mtu 1400");
        run("ip link set wwan0 name wwan9");
        run("ip link set wwan9 up");
        match next(&mut links).await {
            LinkEvent::Changed(reading) => {
                assert_eq!((reading.name.as_str(), reading.ifindex), ("wwan9", index))
            }
            other => panic!("only the rename was to be seen, not {other:?}"),
        }
        assert_eq!(links.event().now_or_never().map(Result::unwrap), None);
        assert_eq!(named(&links.read(None).unwrap(), "wwan9").ifindex, index);
    });
}

#[test]
fn the_same_name_on_another_device_is_another_link() {
    inside("links::the_same_name_on_another_device_is_another_link", async || {
        veth("wwan0", "index 700");
        let mut links = Links::open().unwrap();
        send(10, 100);
        run("ip link del wwan0");
        veth("wwan0", "index 701");
        let mut seen = Vec::new();
        while seen.len() < 4 {
            seen.push(next(&mut links).await);
        }
        let about: Vec<_> = seen
            .iter()
            .filter_map(|event| match event {
                LinkEvent::Vanished(end) if end.reading.name == "wwan0" => Some(("gone", &end.reading)),
                LinkEvent::Appeared(link) if link.name == "wwan0" => Some(("new", link)),
                _ => None,
            })
            .collect();
        assert_eq!((about[0].0, about[0].1.ifindex), ("gone", IfIndex(700)));
        assert_eq!(about[0].1.ip_bytes().1, 10 * (100 + HEADERS));
        assert_eq!((about[1].0, about[1].1.ifindex), ("new", IfIndex(701)));
        assert_eq!(about[1].1.counters, LinkCounters::default());
    });
}

#[test]
fn a_reading_never_mixes_two_links_of_one_index() {
    inside("links::a_reading_never_mixes_two_links_of_one_index", async || {
        veth("wwan0", "index 700");
        let mut links = Links::open().unwrap();
        send(10, 100);
        run("ip link del wwan0");
        veth("wwan0", "index 700");
        send(3, 100);
        let readings = links.read(None).unwrap();
        assert!(readings.iter().all(|reading| reading.ifindex != IfIndex(700)), "{readings:?}");
        let mut seen = Vec::new();
        while let Some(event) = links.event().now_or_never() {
            if let LinkEvent::Vanished(LinkEnd { reading: link, .. }) | LinkEvent::Appeared(link) =
                event.unwrap()
                && link.ifindex == IfIndex(700)
            {
                seen.push(link.ip_bytes().1);
            }
        }
        assert_eq!(seen, [10 * (100 + HEADERS), 0]);
        assert_eq!(named(&links.read(None).unwrap(), "wwan0").ip_bytes().1, 3 * (100 + HEADERS));
    });
}

#[test]
fn a_link_moved_away_is_gone_and_keeps_its_counters_when_it_returns() {
    inside("links::a_link_moved_away_is_gone_and_keeps_its_counters_when_it_returns", async || {
        let neighbour = Neighbour::new();
        veth("wwan0", "");
        let mut links = Links::open().unwrap();
        send(10, 100);
        let sent = 10 * (100 + HEADERS);
        run(&format!("ip link set wwan0 netns {}", neighbour.pid()));
        match next(&mut links).await {
            LinkEvent::Vanished(LinkEnd { reading, .. }) => {
                assert_eq!((reading.name.as_str(), reading.ip_bytes().1), ("wwan0", sent));
            }
            other => panic!("{other:?}"),
        }
        run(&format!(
            "nsenter --net=/proc/{}/ns/net ip link set wwan0 netns {}",
            neighbour.pid(),
            std::process::id()
        ));
        match next(&mut links).await {
            LinkEvent::Appeared(link) => assert_eq!((link.name.as_str(), link.ip_bytes().1), ("wwan0", sent)),
            other => panic!("{other:?}"),
        }
    });
}

#[test]
fn a_port_leaving_a_bridge_is_still_there() {
    inside("links::a_port_leaving_a_bridge_is_still_there", async || {
        veth("wwan0", "");
        run("ip link add br0 type bridge");
        run("ip link set wwan0 master br0");
        let mut links = Links::open().unwrap();
        run("ip link set wwan0 nomaster");
        run("ip link add mark0 type bridge");
        match next(&mut links).await {
            LinkEvent::Appeared(link) => assert_eq!(link.name, "mark0"),
            other => panic!("leaving a bridge is no event: {other:?}"),
        }
    });
}

#[test]
fn raw_ip_links_have_no_ethernet_header() {
    inside("links::raw_ip_links_have_no_ethernet_header", async || {
        run("ip tuntap add wwan0 mode tun");
        run("ip tuntap add wwan1 mode tap");
        let readings = Links::open().unwrap().read(None).unwrap();
        assert!(!named(&readings, "wwan0").ethernet);
        assert!(named(&readings, "wwan1").ethernet);
    });
}

#[test]
fn two_hundred_links_come_in_one_reading() {
    inside("links::two_hundred_links_come_in_one_reading", async || {
        let mut links = Links::open().unwrap();
        for n in 0..200 {
            run(&format!("ip link add wwan{n} type bridge"));
            match next(&mut links).await {
                LinkEvent::Appeared(link) => assert_eq!(link.name, format!("wwan{n}")),
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(links.read(None).unwrap().len(), 201);
        assert_eq!(links.resync().unwrap().len(), 201);
        assert_eq!(Links::open().unwrap().read(None).unwrap().len(), 201);
    });
}

#[test]
fn lost_notifications_are_noticed_and_made_good() {
    inside("links::lost_notifications_are_noticed_and_made_good", async || {
        veth("wwan0", "");
        let mut links = Links::open_with_buffer(Some(1)).unwrap();
        for _ in 0..20 {
            run("ip link add flap0 type bridge");
            run("ip link del flap0");
        }
        run("ip link del wwan0");
        run("ip link add wwan5 type bridge");
        assert_eq!(links.read(None).unwrap(), [], "a reading waits until the list is right again");
        let listed = loop {
            if let LinkEvent::Resynchronised(listed) = next(&mut links).await {
                break listed;
            }
        };
        let names: Vec<_> = listed.iter().map(|link| link.name.as_str()).collect();
        assert_eq!(names, ["lo", "wwan5"]);
        assert_eq!(links.read(None).unwrap().len(), 2);
        run("ip link del wwan5");
        match next(&mut links).await {
            LinkEvent::Vanished(end) => assert_eq!(end.reading.name, "wwan5"),
            LinkEvent::Resynchronised(listed) => assert_eq!(listed.len(), 1),
            other => panic!("{other:?}"),
        }
    });
}
