//! The host as one running thing: its rooms are opened in order, clients are served, and all is closed in reverse.

mod group;
mod user;

use crate::config::Config;
use crate::dispatch::{Dispatch, Rooms};
use crate::event::Events;
use crate::inhibit::{self, Inhibitor};
use crate::lock::{self, Locks, Watchdog};
use crate::logging::{self, Logging};
use crate::paths;
use crate::plugin::{self, Inbox, Plugins};
use crate::server::{self, Access, Listener, Server, notify};
use crate::supervisor::{self, Guests};
use driver_api::driver;
use driver_api::error::{Code, Error as DriverError, Origin};
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::signal::unix::{SignalKind, signal};

/// How long running calls may take to end once the host is asked to stop.
const DRAIN: Duration = Duration::from_secs(10);

/// How often the host looks whether it is idle, when it shall stop then.
const IDLE_CHECK: Duration = Duration::from_millis(500);

/// Why the host does not run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The folders.
    #[error(transparent)]
    Paths(#[from] paths::Error),
    /// The log.
    #[error(transparent)]
    Logging(#[from] logging::Error),
    /// A step of the start.
    #[error("cannot {what}: {cause}")]
    Step {
        /// What was tried.
        what: String,
        /// Why it failed.
        cause: Box<dyn std::error::Error + Send + Sync>,
    },
}

fn step<E: Into<Box<dyn std::error::Error + Send + Sync>>>(what: impl Into<String>) -> impl FnOnce(E) -> Error {
    |cause| Error::Step {
        what: what.into(),
        cause: cause.into(),
    }
}

/// A host whose drivers are up and whose sockets listen, not yet serving.
#[derive(Debug)]
pub struct Instance {
    plugins: Arc<Plugins>,
    dispatch: Arc<Dispatch>,
    server: Server,
    idle_timeout: Option<Duration>,
    _inhibitor: Option<Inhibitor>,
    _watchdog: Watchdog,
}

impl Instance {
    /// Opens every room: folders, locks, guests of an earlier host, drivers, sockets.
    ///
    /// # Errors
    /// Another host on the same root, or a step that failed. A driver that fails is none: it is quarantined.
    pub fn open(config: &Config, logging: Option<Logging>) -> Result<Self, Error> {
        config.paths.make()?;
        let locks = Locks::new(lock_limits(config));
        let watchdog = Watchdog::start(&locks).map_err(step("start the lock watchdog"))?;
        let events = Events::new(&locks);
        let inbox = Arc::new(Inbox::default());
        let guests = Guests::open(
            &config.paths.run,
            &config.paths.log,
            guest_options(config)?,
            inbox.sink(),
        )
        .map_err(step("take over the guests"))?;
        let guests = Arc::new(guests);
        let rooms = plugin::Rooms {
            locks: Arc::clone(&locks),
            events: Arc::clone(&events),
            guests: Some(Arc::clone(&guests) as Arc<dyn plugin::GuestRoom>),
        };
        let plugins = Arc::new(Plugins::new(rooms, &inbox));
        for folder in plugin::without_plugins(&config.plugin_dirs) {
            tracing::warn!(folder = %folder.display(), "no plug-in (lib..._driver.so) in a folder that was named");
        }
        plugins.load(&plugin::folders(&config.plugin_dirs), |name| {
            driver_config(config, name)
        });
        let rooms = Rooms {
            plugins: Arc::clone(&plugins),
            guests,
            locks,
            logging,
        };
        let dispatch = Dispatch::new(rooms, &events, &config.paths).map_err(step("answer calls"))?;
        let dispatch = Arc::new(dispatch);
        // Drivers come up before anybody is served: a client must never see a list without the guests that run.
        plugins.bring_up();
        let inhibitor = inhibitor(config, &events, &plugins);
        let mut server = Server::new(Arc::clone(&dispatch) as Arc<dyn server::Service>, server_limits(config))
            .map_err(step("start worker threads"))?;
        for listener in listeners(config)? {
            server.add(listener);
        }
        Ok(Self {
            plugins,
            dispatch,
            server,
            idle_timeout: config.idle_timeout,
            _inhibitor: inhibitor,
            _watchdog: watchdog,
        })
    }

    /// Serves until `stop` resolves, or until idle for as long as the configuration says; guests go on.
    ///
    /// # Errors
    /// The runtime or a listener can not be used.
    pub fn run(self, stop: impl Future<Output = ()>) -> Result<(), Error> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .thread_name("io")
            .enable_all()
            .build()
            .map_err(step("start the I/O threads"))?;
        let plugins = Arc::clone(&self.plugins);
        let autostart = std::thread::Builder::new()
            .name("autostart".into())
            .spawn(move || plugins.autostart())
            .map_err(step("start the autostart thread"))?;
        let idle = idle(Arc::clone(&self.dispatch), self.idle_timeout);
        let until = async {
            tokio::select! {
                () = stop => {}
                () = idle => tracing::info!("idle for as long as was asked: stopping"),
            }
        };
        let served = runtime.block_on(self.server.run(until, DRAIN)).map_err(step("serve"));
        self.dispatch.finish(DRAIN);
        // A boot that autostart waits for ends by its own deadline; the driver is told to hurry by `close`.
        self.plugins.close(DRAIN);
        if autostart.join().is_err() {
            tracing::error!("the autostart thread panicked");
        }
        served
    }
}

/// Resolves once nobody was connected and no guest ran for `after`; never without one.
async fn idle(dispatch: Arc<Dispatch>, after: Option<Duration>) {
    let Some(after) = after else {
        return std::future::pending().await;
    };
    let mut busy = Instant::now();
    loop {
        tokio::time::sleep(IDLE_CHECK).await;
        if dispatch.is_busy() {
            busy = Instant::now();
        } else if busy.elapsed() >= after {
            return;
        }
    }
}

/// `lockstep serve`: logs, serves until SIGTERM or SIGINT, tells a service manager how it goes. SIGHUP has filters read
/// anew.
///
/// # Errors
/// Whatever kept the host from serving.
pub fn serve(config: &Config) -> Result<(), Error> {
    let logging = Logging::start(&config.settings.log.filter)?;
    let instance = Instance::open(config, Some(logging))?;
    tracing::info!(socket = %config.paths.socket().display(), "serving");
    told("READY=1");
    let plugins = Arc::clone(&instance.plugins);
    let result = instance.run(async {
        if let Err(error) = asked_to_stop(plugins).await {
            tracing::error!(%error, "cannot wait for signals: stopping");
        }
        told("STOPPING=1");
    });
    tracing::info!("stopped; guests go on");
    result
}

fn told(state: &str) {
    if let Err(error) = notify::notify(state) {
        tracing::warn!(state, %error, "the service manager can not be told");
    }
}

async fn asked_to_stop(plugins: Arc<Plugins>) -> io::Result<()> {
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let mut hangup = signal(SignalKind::hangup())?;
    loop {
        tokio::select! {
            _ = terminate.recv() => return Ok(()),
            _ = interrupt.recv() => return Ok(()),
            _ = hangup.recv() => {
                let plugins = Arc::clone(&plugins);
                // Guards belong to threads; the lock of filters lets one reload at a time through.
                drop(tokio::task::spawn_blocking(move || plugins.reload_filters()));
            }
        }
    }
}

/// What keeps the machine from a shutdown while guests run. A user's own host leaves that to the user's session.
fn inhibitor(config: &Config, events: &Arc<Events>, plugins: &Arc<Plugins>) -> Option<Inhibitor> {
    if !config.settings.host.inhibit || !config.paths.privileged {
        return None;
    }
    let plugins = Arc::clone(plugins);
    let started = Inhibitor::start(events, move || !plugins.running().is_empty(), inhibit::logind);
    started
        .inspect_err(|error| tracing::warn!(%error, "a shutdown of the machine does not wait for guests"))
        .ok()
}

fn lock_limits(config: &Config) -> lock::Limits {
    let settings = &config.settings.locks;
    let usual = lock::Limits::default();
    lock::Limits {
        filter: settings.timeout,
        update: settings.timeout,
        virt: settings.timeout,
        domain: settings.timeout.min(usual.domain),
        warn_after: settings.warn_after,
        strikes: settings.strikes as usize,
        ..usual
    }
}

fn guest_options(config: &Config) -> Result<supervisor::Options, Error> {
    let confinement = &config.settings.confinement;
    let user = user::ids(&confinement.user).map_err(step("use the setting confinement.user"))?;
    Ok(supervisor::Options {
        user,
        layers: supervisor::Layers {
            seccomp: confinement.seccomp,
            landlock: confinement.landlock,
            cgroups: confinement.cgroups,
            network_namespace: confinement.network_namespace,
        },
        log_bytes: config.settings.console.log_size.0,
        log_files: config.settings.console.log_count,
        ..supervisor::Options::default()
    })
}

/// A driver's own folders and options.
fn driver_config(config: &Config, name: &str) -> driver_api::error::Result<driver::Config> {
    let failed = |error| {
        let text = format!("the folders of driver '{name}' can not be made");
        DriverError::new(Code::SYSTEM_ERROR, Origin::CONF, text).because(error)
    };
    let paths = config.paths.make_driver(name).map_err(failed)?;
    Ok(driver::Config {
        conf_dir: paths.conf,
        state_dir: paths.state,
        run_dir: paths.run,
        log_dir: paths.log,
        privileged: config.paths.privileged,
        options: config.driver_options(name).to_vec(),
    })
}

fn server_limits(config: &Config) -> server::Limits {
    let settings = &config.settings;
    server::Limits {
        clients: settings.clients.max,
        calls_per_client: settings.clients.max_requests,
        workers: settings.workers.ordinary,
        read_workers: settings.workers.priority,
        keepalive_interval: settings.keepalive.interval,
        keepalive_count: settings.keepalive.count,
        ..server::Limits::default()
    }
}

/// The sockets that a service manager passed, else our own.
fn listeners(config: &Config) -> Result<Vec<Listener>, Error> {
    let passed = Listener::passed().map_err(step("use the sockets that were passed"))?;
    if !passed.is_empty() {
        return Ok(passed);
    }
    let group = group::number(&config.settings.socket.group).map_err(step("use the setting socket.group"))?;
    let own = [
        (config.paths.socket(), false, config.socket_mode()),
        (config.paths.readonly_socket(), true, config.readonly_socket_mode()),
    ];
    own.into_iter()
        .map(|(path, read_only, mode)| {
            let access = Access { mode, group };
            Listener::bind(&path, read_only, access).map_err(step(format!("listen on '{}'", path.display())))
        })
        .collect()
}
