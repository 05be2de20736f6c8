//! The thread that a story's world lives on, and how the story's script talks to it.

use std::fmt;
use std::sync::mpsc;

use super::STACK;
use super::story::{Setup, Story};
use crate::value::{Fallible, fail};

type Scene = Box<dyn FnOnce(&mut Story) + Send>;

/// A way to the world. The thread ends with the last of them.
#[derive(Clone)]
pub(crate) struct Stage(mpsc::Sender<Scene>);

impl fmt::Debug for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Stage")
    }
}

impl Stage {
    pub(super) fn open(setup: Setup) -> std::io::Result<Self> {
        let (scenes, played) = mpsc::channel::<Scene>();
        std::thread::Builder::new().stack_size(STACK).spawn(move || {
            let mut story = Story::new(setup);
            while let Ok(scene) = played.recv() {
                scene(&mut story);
            }
        })?;
        Ok(Self(scenes))
    }

    /// Has something done in the world, and waits for what comes of it. None where the world is gone: it panicked.
    pub(super) fn ask<T: Send + 'static>(
        &self,
        scene: impl FnOnce(&mut Story) -> T + Send + 'static,
    ) -> Option<T> {
        let (said, heard) = mpsc::sync_channel(1);
        let scene: Scene = Box::new(move |story| {
            // Nobody waits only where the script's thread is gone.
            let _ = said.send(scene(story));
        });
        self.0.send(scene).ok()?;
        heard.recv().ok()
    }

    /// As [`Stage::ask`], for what can go wrong in words.
    pub(super) fn play<T: Send + 'static>(
        &self,
        scene: impl FnOnce(&mut Story) -> Result<T, String> + Send + 'static,
    ) -> Fallible<T> {
        match self.ask(scene) {
            Some(Ok(value)) => Ok(value),
            Some(Err(message)) => fail(message),
            None => fail("the program panicked while it played this: please report it"),
        }
    }
}
