//! The look-alike on a message bus.

use futures_util::StreamExt as _;
use simbell_modemsim::lookalike::{Lookalike, MM, PrivateBus, interfaces, introspection};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use zbus::fdo::DBusProxy;

use super::client::{Client, DEADLINE};

#[tokio::test]
async fn a_restart_is_told_by_the_name_alone() {
    let bus = PrivateBus::start().await.unwrap();
    let watcher = zbus::connection::Builder::address(bus.address()).build().await.unwrap();
    let names = DBusProxy::new(&watcher).await.unwrap();
    let mut changes = names.receive_name_owner_changed_with_args(&[(0, MM)]).await.unwrap();
    let lookalike = Lookalike::builder().modems(1).start();
    lookalike.serve_on(bus.address()).await.unwrap();
    let mut owned = async || {
        let change = tokio::time::timeout(DEADLINE, changes.next()).await.expect("a change in time").unwrap();
        let arguments = change.args().unwrap();
        (arguments.old_owner().is_some(), arguments.new_owner().is_some())
    };
    assert_eq!(owned().await, (false, true));
    lookalike.crash();
    assert_eq!(owned().await, (true, false));
    lookalike.revive();
    assert_eq!(owned().await, (false, true));
    let version = watcher
        .call_method(
            Some(MM),
            "/org/freedesktop/ModemManager1",
            Some("org.freedesktop.DBus.Properties"),
            "Get",
            &(MM, "Version"),
        )
        .await
        .unwrap();
    let version: zbus::OwnedVariant = version.body().deserialize().unwrap();
    assert_eq!(String::try_from(version).unwrap(), "1.20.4");
}

#[tokio::test]
async fn a_bus_that_is_not_there_is_said() {
    let lookalike = Lookalike::builder().modems(1).start();
    let error = lookalike.serve_on("unix:path=/nonexistent/bus").await.unwrap_err().to_string();
    assert!(error.contains("/nonexistent/bus"), "{error}");
}

#[tokio::test]
async fn a_socket_serves_good_clients_beside_bad_ones_and_none_while_dead() {
    // Only its directory is used, which goes with it.
    let scratch = PrivateBus::start().await.unwrap();
    let path = scratch.directory().join("mm");
    let address = format!("unix:path={}", path.display());
    let lookalike = Lookalike::builder().modems(1).start();
    lookalike.serve_socket(&path).unwrap();
    assert!(lookalike.serve_socket(&path).unwrap_err().to_string().contains(path.to_str().unwrap()));
    let mut bad = tokio::net::UnixStream::connect(&path).await.unwrap();
    bad.write_all(b"\0GET / HTTP/1.1\r\n\r\n").await.unwrap();
    let silent = tokio::net::UnixStream::connect(&path).await.unwrap();
    let first = Client::at(&address).await;
    let second = Client::at(&address).await;
    assert_eq!((first.managed().await.len(), second.managed().await.len()), (1, 1));

    lookalike.crash();
    let mut refused = tokio::net::UnixStream::connect(&path).await.unwrap();
    let end = tokio::time::timeout(DEADLINE, refused.read(&mut [0; 1])).await.expect("an end in time");
    assert!(matches!(end, Ok(0) | Err(_)));
    lookalike.revive();
    assert_eq!(Client::at(&address).await.managed().await.len(), 1);
    drop((bad, silent));
}

#[test]
fn introspection_names_every_member() {
    for interface in interfaces() {
        let xml = introspection(&[interface.name], &[]);
        assert!(xml.contains(&format!("<interface name=\"{}\">", interface.name)));
        for (name, signature) in &interface.properties {
            let line = format!("<property type=\"{signature}\" name=\"{name}\" access=\"read\"/>");
            assert!(xml.contains(&line), "{line}");
        }
        for member in interface.methods.iter().chain(&interface.signals) {
            assert!(xml.contains(&format!(" name=\"{}\">", member.name)));
        }
    }
}
