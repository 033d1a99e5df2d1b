//! One session, two processes: the first sends a file and prints a ticket, the second waits for the
//! result.
//!
//! ```sh
//! ticket=$(cargo run -p evenkeel-client --example resume_session -- http://core.lb.example:8008 send invoice.pdf)
//! cargo run -p evenkeel-client --example resume_session -- http://core.lb.example:8008 wait "$ticket"
//! ```

use evenkeel_client::{Cluster, ResumedSession, Source, Ticket};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (url, ticket) = match &arguments[..] {
        [url, step, path] if step == "send" => {
            println!("{}", Cluster::new(url)?.scan(&mut Source::path(path)).await?.ticket());
            return Ok(());
        }
        [url, step, ticket] if step == "wait" => (url, ticket),
        _ => return Err("usage: resume_session URL send FILE | resume_session URL wait TICKET".into()),
    };
    // The ticket holds the address of the node, so the name is not resolved.
    match Cluster::new(url)?.resume(&ticket.parse::<Ticket>()?)? {
        ResumedSession::File(scan) => println!("{:?}", scan.result().await?.verdict),
        ResumedSession::OpenBatch(batch) => println!("{} files", batch.status().await?.files.len()),
        ResumedSession::ClosedBatch(batch) => println!("{}", batch.signed_result().await?),
        _ => println!("this program does not know this kind of session"),
    }
    Ok(())
}
