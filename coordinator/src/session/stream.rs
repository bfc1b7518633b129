//! One stream to a worker: how it is opened, what is sent on it, and why it is left.

use std::time::Duration;

use proto::assignment::Assignment;
use proto::wire::{self, command, event};
use tokio::sync::mpsc::Sender;
use tokio::time::timeout;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Status, Streaming};

use super::{WorkerSession, client, in_words};
use crate::causes::innermost;

/// Commands that may wait to be sent.
const COMMANDS_IN_FLIGHT: usize = 16;
/// How long a worker that is of no use any more may take to stop.
const DISMISSAL_LIMIT: Duration = Duration::from_millis(500);

/// Why a stream was left.
pub(super) enum Left {
    /// The worker has said its last word, or nobody listens any more.
    Over,
    /// The stream broke; the worker may still be there.
    Broken(String),
    /// The worker does not take the assignment on.
    Refused(String),
    /// The worker is at work, but makes no sense.
    Senseless(String),
    /// The worker is lost.
    Lost(String),
}

/// Opens a stream and names the assignment, which begins or resumes it; `stopped` says whether the worker was told to stop.
pub(super) async fn open(
    worker: &WorkerSession,
    assignment: &Assignment,
    stopped: bool,
) -> Result<(Sender<wire::Command>, Streaming<wire::Event>), Left> {
    let channel = match timeout(assignment.lease, worker.access.dial()).await {
        Ok(Ok(channel)) => channel,
        Ok(Err(error)) if is_refused(&error) => {
            return Err(Left::Lost("nothing listens at its address any more".into()));
        }
        Ok(Err(error)) => return Err(Left::Broken(innermost(&error))),
        Err(_) => return Err(Left::Broken("it cannot be reached".into())),
    };
    // The channel is new and has room.
    let (commands, outgoing) = tokio::sync::mpsc::channel(COMMANDS_IN_FLIGHT);
    send(&commands, command::Command::Assignment(assignment.into())).await;
    if stopped {
        // The order may have been lost with the stream before.
        send(&commands, command::Command::Stop(wire::Stop {})).await;
    }
    match timeout(assignment.lease, client(channel).run(ReceiverStream::new(outgoing))).await {
        Ok(Ok(events)) => Ok((commands, events.into_inner())),
        Ok(Err(status)) => Err(Left::Broken(in_words(&status))),
        Err(_) => Err(Left::Broken("it does not answer".into())),
    }
}

pub(super) async fn send(commands: &Sender<wire::Command>, command: command::Command) {
    // A stream that broke is noticed by its events.
    let _ = commands.send(wire::Command { command: Some(command) }).await;
}

/// Has a worker stop that is not listened to any more, and gives the order time to arrive.
pub(super) async fn dismiss(commands: &Sender<wire::Command>, events: &mut Streaming<wire::Event>) {
    send(commands, command::Command::Stop(wire::Stop {})).await;
    let last_word = async {
        while let Ok(Some(wire::Event { event })) = events.message().await {
            if matches!(event, Some(event::Event::Finished(_) | event::Event::Fault(_))) {
                return;
            }
        }
    };
    // One that does not end is ended by its lease.
    let _ = timeout(DISMISSAL_LIMIT, last_word).await;
}

pub(super) fn nonsense(error: proto::InvalidMessage) -> Left {
    Left::Senseless(format!("it sent what makes no sense: {error}"))
}

pub(super) fn broken(status: &Status) -> String {
    format!("the connection broke: {}", in_words(status))
}

fn is_refused(error: &tonic::transport::Error) -> bool {
    let mut cause: Option<&dyn std::error::Error> = Some(error);
    while let Some(error) = cause {
        // A tunnel that is gone leaves no socket.
        let kinds = [std::io::ErrorKind::ConnectionRefused, std::io::ErrorKind::NotFound];
        let refused = |error: &std::io::Error| kinds.contains(&error.kind());
        if error.downcast_ref::<std::io::Error>().is_some_and(refused) {
            return true;
        }
        cause = error.source();
    }
    false
}
