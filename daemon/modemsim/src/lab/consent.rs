//! A polkit that always consents, for the session bus: ModemManager asks for one even there, before it inhibits a
//! device or takes a kernel event.

use std::collections::HashMap;

use zbus::{OwnedVariant, interface};

use super::error::LabError;

/// `org.freedesktop.PolicyKit1.Authority`, as far as ModemManager asks it.
#[derive(Debug)]
struct Authority;

type Details = HashMap<String, String>;

#[interface(name = "org.freedesktop.PolicyKit1.Authority")]
impl Authority {
    fn check_authorization(
        &self,
        _subject: (String, HashMap<String, OwnedVariant>),
        _action: String,
        _details: Details,
        _flags: u32,
        _cancellation: String,
    ) -> ((bool, bool, Details),) {
        // One structure, not three values: polkit's library aborts its caller over the difference.
        ((true, false, Details::new()),)
    }
}

/// Takes polkit's name on the bus.
pub(super) async fn serve(connection: &zbus::Connection) -> Result<(), LabError> {
    let failed = |source| LabError::Bus { action: "standing in for polkit", source };
    connection
        .object_server()
        .at("/org/freedesktop/PolicyKit1/Authority", Authority)
        .await
        .map_err(failed)?;
    connection.request_name("org.freedesktop.PolicyKit1").await.map_err(failed)
}
