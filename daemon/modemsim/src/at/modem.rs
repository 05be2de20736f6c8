//! The modem and the hand that works it.

use std::collections::BTreeMap;
use std::os::linux::net::SocketAddrExt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::UnixListener;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use super::call::{CallState, CallView};
use super::data::ContextView;
use super::error::AtError;
use super::pdu::{IncomingSms, SentSms};
use super::port::serve;
use super::profile::{Operator, Profile, Sim};
use super::radio::Registration;
use super::shared::{Announcement, Shared, announce};
use super::state::State;
use super::tty::Tty;
use super::ussd::UssdAnswer;

/// A simulated AT modem; clones are hands of the same modem, which ends with the last of them.
#[derive(Debug, Clone)]
pub struct Modem {
    shared: Arc<Shared>,
    body: Arc<Body>,
}

/// The thread the modem lives in.
#[derive(Debug)]
struct Body {
    runtime: tokio::runtime::Handle,
    announcements: mpsc::UnboundedSender<Announcement>,
    tasks: Mutex<BTreeMap<u8, JoinHandle<()>>>,
    _end: oneshot::Sender<()>,
}

impl Modem {
    /// Starts a modem; it has no port yet.
    ///
    /// # Errors
    /// [`AtError::Thread`] when the system gives no thread.
    pub fn start(profile: Profile) -> Result<Self, AtError> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|source| AtError::Thread { source })?;
        let handle = runtime.handle().clone();
        let (end, ended) = oneshot::channel::<()>();
        std::thread::Builder::new()
            .name("at-modem".to_owned())
            .spawn(move || {
                let _ = runtime.block_on(ended);
                runtime.shutdown_background();
            })
            .map_err(|source| AtError::Thread { source })?;
        let shared = Arc::new(Shared::new(State::new(profile)));
        let (announcements, queue) = mpsc::unbounded_channel();
        handle.spawn(announce(Arc::clone(&shared), queue));
        let body = Body { runtime: handle, announcements, tasks: Mutex::new(BTreeMap::new()), _end: end };
        Ok(Self { shared, body: Arc::new(body) })
    }

    /// The profile the modem was started with; a SIM changed since is not in it.
    #[must_use]
    pub fn profile(&self) -> Profile {
        self.shared.lock().profile.clone()
    }

    /// Says whether two hands hold the same modem.
    #[must_use]
    pub fn same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.shared, &other.shared)
    }

    // --- ports ---

    /// Serves a stream as port `index` (0 is the first), replacing what the port had.
    pub fn attach<S>(&self, index: u8, stream: S)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let urcs = self.shared.open(index);
        self.hold(index, self.body.runtime.spawn(serve(Arc::clone(&self.shared), index, stream, urcs)));
    }

    /// Listens on a Unix socket as the next port and serves whoever connects, one at a time.
    /// Names that begin with `abstract:` are abstract, with that prefix in the name, as ModemManager's test ports are.
    ///
    /// # Errors
    /// [`AtError::Port`] when the name is in use or too long.
    pub fn listen(&self, name: &str) -> Result<u8, AtError> {
        let failed = |source| AtError::Port { port: name.to_owned(), source };
        let listener = if name.starts_with("abstract:") {
            std::os::unix::net::SocketAddr::from_abstract_name(name)
                .and_then(|address| std::os::unix::net::UnixListener::bind_addr(&address))
        } else {
            std::os::unix::net::UnixListener::bind(name)
        };
        let listener = listener.map_err(failed)?;
        listener.set_nonblocking(true).map_err(failed)?;
        let listener = {
            let _entered = self.body.runtime.enter();
            UnixListener::from_std(listener).map_err(failed)?
        };
        let index = self.next_port();
        let shared = Arc::clone(&self.shared);
        let accept = async move {
            while let Ok((stream, _)) = listener.accept().await {
                let urcs = shared.open(index);
                serve(Arc::clone(&shared), index, stream, urcs).await;
            }
        };
        self.hold(index, self.body.runtime.spawn(accept));
        Ok(index)
    }

    /// Opens a pseudo-terminal as port `index` and returns the device for the host.
    ///
    /// # Errors
    /// [`AtError::Port`] when there is no pseudo-terminal to be had.
    pub fn open_tty(&self, index: u8) -> Result<PathBuf, AtError> {
        let tty = {
            let _entered = self.body.runtime.enter();
            Tty::open().map_err(|source| AtError::Port { port: "/dev/ptmx".to_owned(), source })?
        };
        let path = tty.path().to_owned();
        self.attach(index, tty);
        Ok(path)
    }

    /// Closes every port, as a cable that is pulled: the host sees the end of each stream.
    pub fn detach(&self) {
        let mut tasks = self.body.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        for task in std::mem::take(&mut *tasks).into_values() {
            task.abort();
        }
        self.shared.close();
    }

    /// Starts afresh, as after the power was gone: contexts, calls and settings are lost, stored SMS and the SIM stay.
    pub fn power_cycle(&self) {
        self.shared.change(State::power_cycle);
    }

    /// Lets the modem hang: it reads and never answers, until `false`.
    pub fn hang(&self, hung: bool) {
        self.shared.change(|state| state.hung = hung);
    }

    // --- network ---

    /// Registers at home.
    pub fn register_home(&self) {
        let home = self.shared.lock().profile.home.clone();
        self.register(Registration::Home, Some(home));
    }

    /// Registers with a foreign operator.
    pub fn roam(&self, operator: &Operator) {
        self.register(Registration::Roaming, Some(operator.clone()));
    }

    /// Loses the network and searches.
    pub fn search(&self) {
        self.register(Registration::Searching, None);
    }

    /// Is refused by the network.
    pub fn deny(&self) {
        self.register(Registration::Denied, None);
    }

    /// Changes the registration and, if given, the operator.
    pub fn register(&self, registration: Registration, operator: Option<Operator>) {
        self.tell(|state| state.register(registration, operator));
    }

    /// Sets the signal, 0 to 5 bars of 20 %.
    pub fn set_signal(&self, bars: u8) {
        self.tell(|state| state.set_bars(bars));
    }

    // --- SIM ---

    /// Takes the SIM out (`None`) or puts one in. Telit and quectel profiles tell the host at once, others on its next look.
    pub fn insert_sim(&self, sim: Option<Sim>) {
        self.tell(|state| state.insert_sim(sim));
    }

    // --- SMS ---

    /// Receives an SMS: stores its parts and announces them one after another, each once the one before was read.
    ///
    /// # Errors
    /// [`AtError::Sms`] when it cannot be encoded.
    pub fn receive_sms(&self, sms: &IncomingSms) -> Result<(), AtError> {
        let reference = u8::try_from(*self.shared.changed.borrow() & 0xff).unwrap_or_default();
        for pdu in sms.encode(reference)? {
            let index = self.shared.change(|state| state.store_received(pdu));
            self.announce(Announcement::Sms(index));
        }
        Ok(())
    }

    /// Receives an SMS and announces it at once, while the host may still read another: ModemManager then loses it
    /// until it is disabled and enabled again.
    ///
    /// # Errors
    /// [`AtError::Sms`] when it cannot be encoded.
    pub fn receive_sms_hastily(&self, sms: &IncomingSms) -> Result<(), AtError> {
        for pdu in sms.encode(0)? {
            self.tell(|state| {
                let index = state.store_received(pdu);
                state.announce_sms(index);
            });
        }
        Ok(())
    }

    /// The SMS the host sent so far, parts joined, oldest first.
    #[must_use]
    pub fn sent_sms(&self) -> Vec<SentSms> {
        self.shared.lock().sent_sms()
    }

    /// Waits until the host has sent at least `count` SMS and returns all of them.
    ///
    /// # Errors
    /// [`AtError::TimedOut`].
    pub async fn sent_sms_count(&self, count: usize, within: Duration) -> Result<Vec<SentSms>, AtError> {
        self.wait("SMS to be sent", within, |state| Some(state.sent_sms()).filter(|sent| sent.len() >= count))
            .await
    }

    /// Reports a sent SMS as delivered (`+CDS`), whether a report was asked for or not.
    pub fn report_delivery(&self, sent: &SentSms) {
        self.tell(|state| state.report_delivery(sent));
    }

    /// The number of SMS in the modem's storage.
    #[must_use]
    pub fn stored_sms(&self) -> usize {
        self.shared.lock().stored_sms()
    }

    /// Lets sending fail with this `+CMS ERROR` until `None`.
    pub fn fail_sms(&self, code: Option<u16>) {
        self.shared.change(|state| state.fail_sms(code));
    }

    // --- USSD ---

    /// Says what the network answers to a USSD code.
    pub fn on_ussd(&self, code: &str, answer: UssdAnswer) {
        self.shared.change(|state| state.set_ussd_answer(code, answer));
    }

    /// Sends a USSD notification nobody asked for.
    pub fn notify_ussd(&self, text: &str) {
        self.tell(|state| state.ussd_message(0, text));
    }

    /// Sends a USSD question nobody asked for.
    pub fn request_ussd(&self, text: &str) {
        self.tell(|state| state.ussd_message(1, text));
    }

    /// The USSD codes and replies the host sent, oldest first.
    #[must_use]
    pub fn ussd_requests(&self) -> Vec<String> {
        self.shared.lock().ussd_requests()
    }

    // --- calls ---

    /// Lets somebody call.
    pub fn call(&self, number: &str) {
        self.tell(|state| state.call_in(number));
    }

    /// Lets the outgoing call ring at the other end.
    ///
    /// # Errors
    /// [`AtError::NoCall`].
    pub fn remote_rings(&self) -> Result<(), AtError> {
        self.call_progress(CallState::Alerting, "ringing")
    }

    /// Lets the other end answer.
    ///
    /// # Errors
    /// [`AtError::NoCall`].
    pub fn remote_answers(&self) -> Result<(), AtError> {
        self.call_progress(CallState::Active, "answered")
    }

    /// Lets the other end hang up; an unanswered incoming call just disappears.
    ///
    /// # Errors
    /// [`AtError::NoCall`].
    pub fn remote_hangs_up(&self) -> Result<(), AtError> {
        match self.shared.change(State::call_ends) {
            Some(Some(line)) => self.announce(Announcement::Line(line)),
            Some(None) => {}
            None => return Err(AtError::NoCall { action: "ended" }),
        }
        Ok(())
    }

    /// The calls as they stand.
    #[must_use]
    pub fn calls(&self) -> Vec<CallView> {
        self.shared.lock().calls()
    }

    /// Waits until there is a call in a state and returns it.
    ///
    /// # Errors
    /// [`AtError::TimedOut`].
    pub async fn call_in_state(&self, wanted: CallState, within: Duration) -> Result<CallView, AtError> {
        self.wait("a call", within, |state| state.calls().into_iter().find(|call| call.state == wanted)).await
    }

    // --- data ---

    /// The packet data contexts.
    #[must_use]
    pub fn contexts(&self) -> Vec<ContextView> {
        self.shared.lock().contexts()
    }

    /// Ends active contexts from the network's side, telling the host (`+CGEV`) or silently.
    /// Returns whether there was one.
    pub fn drop_data(&self, told: bool) -> bool {
        let any = self.shared.change(|state| state.drop_data(told));
        self.shared.flush();
        any
    }

    /// Lets connections fail, with this cause in `+CEER`, until `None`.
    pub fn refuse_data(&self, cause: Option<&str>) {
        self.shared.change(|state| state.refuse_data(cause));
    }

    // --- observing ---

    /// The command lines the host sent, oldest first, 4096 at most.
    #[must_use]
    pub fn heard(&self) -> Vec<String> {
        self.shared.lock().heard()
    }

    /// Waits until the host has sent a command line that begins so.
    ///
    /// # Errors
    /// [`AtError::TimedOut`].
    pub async fn hears(&self, begins: &str, within: Duration) -> Result<String, AtError> {
        self.wait("a command", within, |state| {
            state.heard().into_iter().find(|line| line.starts_with(begins))
        })
        .await
    }

    async fn wait<T>(
        &self,
        what: &'static str,
        within: Duration,
        mut look: impl FnMut(&State) -> Option<T>,
    ) -> Result<T, AtError> {
        let mut changes = self.shared.changed.subscribe();
        let looking = async {
            loop {
                changes.borrow_and_update();
                let found = look(&self.shared.lock());
                if let Some(found) = found {
                    return Some(found);
                }
                changes.changed().await.ok()?;
            }
        };
        let found = tokio::time::timeout(within, looking).await.ok().flatten();
        found.ok_or(AtError::TimedOut { what, waited: within })
    }

    fn tell(&self, change: impl FnOnce(&mut State)) {
        self.shared.change(change);
        self.shared.flush();
    }

    fn announce(&self, announcement: Announcement) {
        // The queue ends with the modem's thread, and that with this handle.
        let _ = self.body.announcements.send(announcement);
    }

    fn call_progress(&self, to: CallState, action: &'static str) -> Result<(), AtError> {
        if self.shared.change(|state| state.call_progress(to)) {
            Ok(())
        } else {
            Err(AtError::NoCall { action })
        }
    }

    fn next_port(&self) -> u8 {
        let tasks = self.body.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        (0..u8::MAX).find(|index| !tasks.contains_key(index)).unwrap_or(u8::MAX)
    }

    fn hold(&self, index: u8, task: JoinHandle<()>) {
        let mut tasks = self.body.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(former) = tasks.insert(index, task) {
            former.abort();
        }
    }
}
