//! The connection to the quota helper: kept up, and what goes over it.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use simbell_quota::protocol::{Lines, Reply, Request, VERSION, line};
use tokio::net::UnixStream;
use tokio::sync::mpsc;

/// Requests and replies that may wait; more means that one side does not read.
const QUEUE: usize = 1024;
const HELLO_WITHIN: Duration = Duration::from_secs(10);
const AGAIN_FIRST: Duration = Duration::from_secs(1);
const AGAIN_MOST: Duration = Duration::from_secs(30);

/// What the connection tells the engine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum News {
    /// It is up, under this number; nothing is armed.
    Up(u64),
    /// It is not up, for this reason; it is tried again by itself.
    Away(String),
    /// The helper said something.
    Said(Reply),
}

/// The engine's end.
pub(super) struct Client {
    requests: mpsc::Sender<(u64, Request)>,
    news: mpsc::Receiver<News>,
    task: tokio::task::JoinHandle<()>,
}

impl Client {
    pub fn start(path: PathBuf) -> Self {
        let (requests, asked) = mpsc::channel(QUEUE);
        let (tell, news) = mpsc::channel(QUEUE);
        Self { requests, news, task: tokio::spawn(keep_up(path, asked, tell)) }
    }

    /// Asks over the connection of this number; whether there is room for it.
    pub fn ask(&self, connection: u64, request: Request) -> bool {
        self.requests.try_send((connection, request)).is_ok()
    }

    /// The next news; none once the task has ended.
    pub async fn news(&mut self) -> Option<News> {
        self.news.recv().await
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn keep_up(path: PathBuf, mut asked: mpsc::Receiver<(u64, Request)>, tell: mpsc::Sender<News>) {
    let mut connection = 0_u64;
    let mut again = AGAIN_FIRST;
    loop {
        let ended = match connect(&path).await {
            Ok(up) => {
                connection = connection.wrapping_add(1);
                if tell.send(News::Up(connection)).await.is_err() {
                    return;
                }
                let since = tokio::time::Instant::now();
                let ended = converse(up, connection, &mut asked, &tell).await;
                if since.elapsed() > AGAIN_MOST {
                    again = AGAIN_FIRST;
                }
                ended
            }
            Err(why) => Some(why),
        };
        // The engine has gone.
        let Some(why) = ended else { return };
        if tell.send(News::Away(why)).await.is_err() {
            return;
        }
        tokio::time::sleep(again).await;
        again = again.saturating_mul(2).min(AGAIN_MOST);
    }
}

struct Connection {
    stream: UnixStream,
    lines: Lines,
}

async fn connect(path: &Path) -> Result<Connection, String> {
    let shown = path.display();
    let stream = UnixStream::connect(path).await.map_err(|error| format!("{shown}: {error}"))?;
    let mut connection = Connection { stream, lines: Lines::default() };
    connection.write(&Request::Hello { version: VERSION }).await?;
    match tokio::time::timeout(HELLO_WITHIN, connection.read()).await {
        Ok(Ok(Reply::Hello { version: VERSION })) => Ok(connection),
        Ok(Ok(Reply::Refused { text, .. })) => Err(format!("it refused: {text}")),
        Ok(Ok(_)) => Err(format!("{shown} answers what is no greeting")),
        Ok(Err(why)) => Err(why),
        Err(_) => Err(format!("{shown} does not answer")),
    }
}

/// Until the connection ends, and why; none once the engine has gone.
async fn converse(
    mut connection: Connection,
    number: u64,
    asked: &mut mpsc::Receiver<(u64, Request)>,
    tell: &mpsc::Sender<News>,
) -> Option<String> {
    loop {
        let why = tokio::select! {
            said = connection.read() => match said {
                Ok(reply) => match tell.send(News::Said(reply)).await {
                    Ok(()) => continue,
                    Err(_) => return None,
                },
                Err(why) => why,
            },
            request = asked.recv() => match request {
                // Meant for a connection that is gone: what it armed is gone too.
                Some((meant, _)) if meant != number => continue,
                Some((_, request)) => match connection.write(&request).await {
                    Ok(()) => continue,
                    Err(why) => why,
                },
                None => return None,
            },
        };
        return Some(why);
    }
}

impl Connection {
    /// The next line. Cancel-safe.
    async fn read(&mut self) -> Result<Reply, String> {
        loop {
            if let Some(text) = self.lines.next_line().map_err(|error| error.to_string())? {
                return serde_json::from_slice(&text)
                    .map_err(|error| format!("it says what is no reply: {error}"));
            }
            self.stream.readable().await.map_err(lost)?;
            let mut buffer = [0; 4096];
            match self.stream.try_read(&mut buffer) {
                Ok(0) => return Err("the connection was closed".to_owned()),
                Ok(length) => self.lines.push(buffer.get(..length).unwrap_or_default()),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(lost(error)),
            }
        }
    }

    async fn write(&mut self, request: &Request) -> Result<(), String> {
        let line = line(request).map_err(|error| error.to_string())?;
        let mut rest = line.as_slice();
        while !rest.is_empty() {
            self.stream.writable().await.map_err(lost)?;
            match self.stream.try_write(rest) {
                Ok(length) => rest = rest.get(length..).unwrap_or_default(),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(lost(error)),
            }
        }
        Ok(())
    }
}

fn lost(error: io::Error) -> String {
    format!("the connection was lost: {error}")
}
