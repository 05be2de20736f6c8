//! The thread that a test's world lives on, and how the test's script talks to it.

use std::fmt;
use std::sync::mpsc;

use super::STACK;
use crate::value::{Fallible, fail};

type Scene<W> = Box<dyn FnOnce(&mut W) + Send>;

/// A way to the world. The thread ends with the last of them.
pub(crate) struct Stage<W>(mpsc::Sender<Scene<W>>);

impl<W> Clone for Stage<W> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<W> fmt::Debug for Stage<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Stage")
    }
}

impl<W: 'static> Stage<W> {
    pub(super) fn open(make: impl FnOnce() -> W + Send + 'static) -> std::io::Result<Self> {
        let (scenes, played) = mpsc::channel::<Scene<W>>();
        std::thread::Builder::new().stack_size(STACK).spawn(move || {
            let mut world = make();
            while let Ok(scene) = played.recv() {
                scene(&mut world);
            }
        })?;
        Ok(Self(scenes))
    }

    /// Has something done in the world, and waits for what comes of it. None where the world is gone: it panicked.
    pub(super) fn ask<T: Send + 'static>(
        &self,
        scene: impl FnOnce(&mut W) -> T + Send + 'static,
    ) -> Option<T> {
        let (said, heard) = mpsc::sync_channel(1);
        let scene: Scene<W> = Box::new(move |world| {
            // Nobody waits only where the script's thread is gone.
            let _ = said.send(scene(world));
        });
        self.0.send(scene).ok()?;
        heard.recv().ok()
    }

    /// As [`Stage::ask`], for what can go wrong in words.
    pub(super) fn play<T: Send + 'static>(
        &self,
        scene: impl FnOnce(&mut W) -> Result<T, String> + Send + 'static,
    ) -> Fallible<T> {
        match self.ask(scene) {
            Some(Ok(value)) => Ok(value),
            Some(Err(message)) => fail(message),
            None => fail("the program panicked while it played this: please report it"),
        }
    }
}
