//! What a service manager is told: sd_notify(3), one datagram for each state.

use std::env;
use std::io;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::sync::Arc;
use std::time::Duration;

use crate::node::Node;

/// The service manager's socket; nobody to tell where the daemon was started by hand.
#[derive(Debug)]
pub(crate) struct ServiceManager {
    socket: Option<UnixDatagram>,
    watchdog: Option<Duration>,
}

impl ServiceManager {
    /// As the environment says: `NOTIFY_SOCKET`, `WATCHDOG_USEC`, `WATCHDOG_PID`.
    pub(crate) fn from_environment() -> Self {
        let variable = |name| env::var(name).ok();
        let socket = variable("NOTIFY_SOCKET").and_then(|name| match connected(&name) {
            Ok(socket) => Some(socket),
            Err(error) => {
                tracing::warn!(%error, "the service manager cannot be told that the node is ready");
                None
            }
        });
        let watchdog = interval(
            variable("WATCHDOG_USEC").as_deref(),
            variable("WATCHDOG_PID").as_deref(),
            std::process::id(),
        );
        Self { socket, watchdog }
    }

    /// Both sockets answer.
    pub(crate) fn ready(&self) {
        self.tell("READY=1");
    }

    /// No more calls are taken.
    pub(crate) fn stopping(&self) {
        self.tell("STOPPING=1");
    }

    /// Says at half the interval asked for that the node is alive, as long as its store can be read. It never ends.
    pub(crate) async fn watch(&self, node: &Arc<Node>) {
        let (Some(every), true) = (self.watchdog, self.socket.is_some()) else {
            return std::future::pending().await;
        };
        let mut ticks = tokio::time::interval(every);
        loop {
            ticks.tick().await;
            let node = Arc::clone(node);
            let read = move || node.store.read().is_ok();
            if tokio::task::spawn_blocking(read).await.unwrap_or(false) {
                self.tell("WATCHDOG=1");
            }
        }
    }

    fn tell(&self, state: &str) {
        if let Some(socket) = &self.socket
            && let Err(error) = socket.send(state.as_bytes())
        {
            tracing::warn!(%error, state, "the service manager was not told");
        }
    }
}

/// A name with `@` first is one of the abstract namespace (unix(7)).
fn connected(name: &str) -> io::Result<UnixDatagram> {
    let address = match name.strip_prefix('@') {
        Some(name) => SocketAddr::from_abstract_name(name)?,
        None => SocketAddr::from_pathname(name)?,
    };
    let socket = UnixDatagram::unbound()?;
    socket.connect_addr(&address)?;
    // A manager that does not read must not stop the node; what does not fit into its queue is not said.
    socket.set_nonblocking(true)?;
    Ok(socket)
}

/// Half of what the manager waits, if it waits for this process.
fn interval(usec: Option<&str>, pid: Option<&str>, own: u32) -> Option<Duration> {
    if pid.is_some_and(|pid| pid != own.to_string()) {
        return None;
    }
    let usec: u64 = usec?.parse().ok()?;
    (usec >= 2).then(|| Duration::from_micros(usec / 2))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_node::node;

    #[tokio::test]
    async fn the_manager_hears_of_the_beginning_of_life_and_of_the_end() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("notify");
        let manager = UnixDatagram::bind(&path).unwrap();
        let service = ServiceManager {
            socket: Some(connected(path.to_str().unwrap()).unwrap()),
            watchdog: Some(Duration::from_millis(1)),
        };
        let heard = || {
            let mut buffer = [0; 64];
            let length = manager.recv(&mut buffer).unwrap();
            String::from_utf8_lossy(&buffer[..length]).into_owned()
        };
        service.ready();
        assert_eq!(heard(), "READY=1");
        let (_dir, _, node) = node();
        let watching = tokio::time::timeout(Duration::from_millis(200), service.watch(&node));
        watching.await.unwrap_err();
        assert_eq!(heard(), "WATCHDOG=1");
        let last = UnixDatagram::bind(dir.path().join("last")).unwrap();
        let service = ServiceManager {
            socket: Some(connected(dir.path().join("last").to_str().unwrap()).unwrap()),
            watchdog: None,
        };
        service.stopping();
        let mut buffer = [0; 64];
        let length = last.recv(&mut buffer).unwrap();
        assert_eq!(&buffer[..length], b"STOPPING=1");
    }

    #[test]
    fn the_watchdog_is_fed_at_half_its_interval_and_only_by_the_process_it_waits_for() {
        let half = Some(Duration::from_secs(15));
        assert_eq!(interval(Some("30000000"), None, 7), half);
        assert_eq!(interval(Some("30000000"), Some("7"), 7), half);
        assert_eq!(interval(Some("30000000"), Some("8"), 7), None);
        assert_eq!(interval(None, None, 7), None);
        assert_eq!(interval(Some("soon"), None, 7), None);
    }

    #[test]
    fn a_name_of_the_abstract_namespace_is_understood() {
        let name = format!("mandorla-notify-{}", std::process::id());
        let address = SocketAddr::from_abstract_name(&name).unwrap();
        let manager = UnixDatagram::bind_addr(&address).unwrap();
        connected(&format!("@{name}")).unwrap().send(b"x").unwrap();
        assert_eq!(manager.recv(&mut [0; 4]).unwrap(), 1);
        assert!(connected("/no/such/socket").is_err());
    }
}
