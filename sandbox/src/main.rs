//! parklink-sandbox: the platforms of a parking lot on loopback.

mod acts;
mod app;
mod args;
mod beijing;
mod bolink;
mod clock;
mod cloud;
mod control;
mod counts;
mod digest;
mod downlinks;
mod driver;
mod etcp;
mod fastjson;
mod faults;
mod http;
mod json;
mod later;
mod log;
mod lots;
mod orders;
mod pictures;
mod push_sender;
mod pushes;
mod settings;
mod signed;
mod stays;
mod union;
mod world;

use crate::app::App;
use crate::args::{Args, Command};
use crate::lots::Lot;
use crate::world::World;
use axum::Router;
use std::net::SocketAddr;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use tokio::net::{TcpListener, TcpSocket};

fn main() -> ExitCode {
    let args = match args::parse(std::env::args().skip(1)) {
        Ok(Command::Serve(args)) => args,
        Ok(Command::Print(text)) => {
            print!("{text}");
            return ExitCode::SUCCESS;
        }
        Err(text) => return fail(&text),
    };
    log::set_level(args.level);
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(&format!("cannot start: {error}")),
    };
    let result = runtime.block_on(serve(&args));
    // Polls that are held do not hold up the end.
    runtime.shutdown_background();
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(text) => fail(&text),
    }
}

fn fail(text: &str) -> ExitCode {
    eprintln!("parklink-sandbox: {text}");
    ExitCode::FAILURE
}

async fn serve(args: &Args) -> Result<(), String> {
    let mut world = World::new(lots_of(args)?, args.pay_delay);
    let merchant = &mut world.etcp.merchant;
    merchant.number = args.merchant_no.clone().unwrap_or_else(|| merchant.number.clone());
    merchant.key = args.merchant_key.clone().unwrap_or_else(|| merchant.key.clone());
    world.pushes.union_url = args.union_push_url.clone();
    world.pushes.etcp_url = args.etcp_push_url.clone();
    world.pushes.speed = args.push_speed;
    let app = App::new(world, args.poll_hold, args.sync_interval);
    let listen = |port: u16| {
        let address = SocketAddr::new(args.host, port);
        let listener = bind(address).map_err(|error| format!("cannot listen on {address}: {error}"))?;
        let local = listener.local_addr().map_err(|error| error.to_string())?;
        Ok::<_, String>((listener, local))
    };
    let (cloud, cloud_address) = listen(args.cloud_port)?;
    let (bolink, bolink_address) = listen(args.bolink_port)?;
    let (union, union_address) = listen(args.union_port)?;
    let (etcp, etcp_address) = listen(args.etcp_port)?;
    let (control, control_address) = listen(args.control_port)?;

    tokio::spawn(cloud::listener::serve(app.clone(), cloud));
    tokio::spawn(serve_http(bolink, bolink::router(app.clone())));
    tokio::spawn(serve_http(union, union::router(app.clone())));
    tokio::spawn(serve_http(etcp, etcp::router(app.clone())));
    tokio::spawn(push_sender::run(app.clone()));
    tokio::spawn(serve_http(control, control::router(app.clone())));
    tokio::spawn(run_syncs(app));

    let addresses = serde_json::json!({
        "cloud": cloud_address.to_string(),
        "bolink": format!("http://{bolink_address}"),
        "union": format!("http://{union_address}"),
        "etcp": format!("http://{etcp_address}"),
        "control": format!("http://{control_address}"),
    });
    log::event("sandbox", || format!("ready: {addresses}"));
    if let Some(path) = &args.ready_file {
        write_at_once(path, &addresses.to_string())?;
    }
    ended().await;
    log::event("sandbox", || "ends".to_owned());
    if let Some(path) = &args.ready_file {
        // Nobody shall find addresses that no longer answer; if it cannot be removed, so be it.
        let _ = std::fs::remove_file(path);
    }
    Ok(())
}

fn lots_of(args: &Args) -> Result<Vec<Lot>, String> {
    let mut lots = match &args.lots {
        None => vec![Lot::example()],
        Some(path) => {
            let named = |error: String| format!("--lots {}: {error}", path.display());
            let text = std::fs::read_to_string(path).map_err(|error| named(error.to_string()))?;
            lots::read(&text).map_err(named)?
        }
    };
    let first = lots.first_mut().ok_or("--lots: there is no lot in it")?;
    for (name, value) in &args.lot {
        first.set(name, value)?;
    }
    Ok(lots)
}

fn bind(address: SocketAddr) -> std::io::Result<TcpListener> {
    const SEND_BUFFER: u32 = 128 * 1024;
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    #[cfg(unix)]
    socket.set_reuseaddr(true)?;
    // What a client leaves unread must not vanish in a large buffer of the system.
    socket.set_send_buffer_size(SEND_BUFFER)?;
    socket.bind(address)?;
    socket.listen(1024)
}

async fn serve_http(listener: TcpListener, router: Router) {
    if let Err(error) = axum::serve(listener, router).await {
        log::event("sandbox", || format!("HTTP ended: {error}"));
    }
}

async fn run_syncs(app: Arc<App>) {
    while !app.sync_interval.is_zero() {
        tokio::time::sleep(app.sync_interval).await;
        cloud::sync::run(&mut app.world());
    }
}

/// Writes a file so that nobody ever reads half of it.
fn write_at_once(path: &Path, text: &str) -> Result<(), String> {
    let mut unfinished = path.as_os_str().to_owned();
    unfinished.push(".part");
    let written = std::fs::write(&unfinished, text).and_then(|()| std::fs::rename(&unfinished, path));
    written.map_err(|error| format!("--ready-file {}: {error}", path.display()))
}

/// Ctrl-C, or the system's wish that we end.
async fn ended() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let Ok(mut terminate) = signal(SignalKind::terminate()) {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = tokio::signal::ctrl_c() => {}
            }
            return;
        }
    }
    // Without a signal handler there is nothing to wait for but the process's end.
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending::<()>().await;
    }
}
