//! The thread that the ledger is written on.
//!
//! It stays: a thread made for each commit, every few minutes, and ended ten seconds later costs a tenth of what the commit
//! does.

use std::io;
use std::sync::mpsc;

use tokio::sync::oneshot;

type Work = Box<dyn FnOnce() + Send>;

/// What is written goes here, one after the other.
#[derive(Debug, Default)]
pub(super) struct Writer(Option<mpsc::Sender<Work>>);

/// The work panicked, and its thread has ended.
#[derive(Debug, thiserror::Error)]
#[error("what it did panicked")]
pub(super) struct Panicked;

impl Writer {
    /// Begins the thread, where there is none.
    ///
    /// # Errors
    /// As the system says.
    pub(super) fn ready(&mut self) -> io::Result<()> {
        if self.0.is_none() {
            let (sender, works) = mpsc::channel::<Work>();
            let body = move || works.into_iter().for_each(|work| work());
            std::thread::Builder::new().name("ledger".to_owned()).spawn(body)?;
            self.0 = Some(sender);
        }
        Ok(())
    }

    /// Does `work` on the thread, which is [`Writer::ready`], and gives its result.
    pub(super) async fn run<T: Send + 'static>(
        &mut self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Panicked> {
        let works = self.0.take().ok_or(Panicked)?;
        let (done, result) = oneshot::channel();
        let work = Box::new(move || {
            // Where nobody waits for it any more, what it wrote is written all the same.
            drop(done.send(work()));
        });
        works.send(work).map_err(|_| Panicked)?;
        let result = result.await.map_err(|_| Panicked)?;
        self.0 = Some(works);
        Ok(result)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn all_is_done_on_one_thread_and_a_panic_is_told() {
        let mut writer = Writer::default();
        let here = || std::thread::current().id();
        writer.ready().unwrap();
        let first = writer.run(here).await.unwrap();
        writer.ready().unwrap();
        assert_eq!(writer.run(here).await.unwrap(), first);
        assert_ne!(first, here());
        assert!(writer.run(|| panic!("on purpose")).await.is_err());
        writer.ready().unwrap();
        assert_ne!(writer.run(here).await.unwrap(), first, "it goes on with another");
    }
}
