//! How the worker's binary comes to the VMs: an object in a bucket of the project, named after its checksum, where it is
//! neither fetched from elsewhere nor carried there.

use std::time::Duration;

use tokio::time::interval;

use super::api::{ApiError, Client};
use super::bodies::{self, Delivery, region_of};
use super::error::GcpError;
use super::workshop::{Thing, Workshop};
use crate::clock;
use crate::config::gcp::{BinarySource, GcpConfig};
use crate::fleet::binary::{Architecture, WorkerBinary};
use crate::fleet::news::MachineState;

const READER: &str = "roles/storage.objectViewer";
/// How often a policy that somebody else has changed meanwhile is read again.
const POLICY_TRIES: u32 = 5;
/// Between two lines that tell of an upload.
const TELL_EVERY: Duration = Duration::from_secs(15);

/// Asks Google, unless the user has had enough before the answer. Only for what makes no machine, rule or bucket: of those
/// it must be known whether they exist.
pub async fn unless_interrupted<T, E>(
    workshop: &Workshop,
    asking: impl Future<Output = Result<T, E>>,
) -> Result<T, GcpError>
where
    GcpError: From<E>,
{
    let mut interrupt = workshop.interrupt.clone();
    if !interrupt.is_asked()
        && let Some(answered) = interrupt.or(asking).await
    {
        return Ok(answered?);
    }
    Err(GcpError::Interrupted("nothing was made".into()))
}

/// The binary that VMs are to run, as far as it is known before any is made.
#[derive(Debug, Clone)]
pub enum Parcel {
    /// A file of this machine.
    File(WorkerBinary),
    /// A page that serves it.
    Page(Delivery),
}

impl Parcel {
    /// Reads the binary, and checks that the VMs can run it.
    ///
    /// # Errors
    /// When it cannot be read, or not run by such machines.
    pub fn read(config: &GcpConfig) -> Result<Self, GcpError> {
        match &config.binary {
            BinarySource::Url { url, sha256 } => {
                Ok(Self::Page(Delivery { url: url.to_string(), sha256: sha256.clone(), account: None }))
            }
            BinarySource::Bucket(path) | BinarySource::Ssh(path) => {
                let binary = WorkerBinary::read(path.as_deref())?;
                check(&binary, config)?;
                Ok(Self::File(binary))
            }
        }
    }

    /// What the binary adds up to.
    pub fn sha256(&self) -> &str {
        match self {
            Self::File(binary) => &binary.sha256,
            Self::Page(delivery) => &delivery.sha256,
        }
    }

    /// Puts the binary where VMs can fetch it.
    ///
    /// # Errors
    /// When it cannot be put there, or their account cannot be allowed to read it.
    pub async fn deliver(&self, workshop: &Workshop) -> Result<Delivery, GcpError> {
        let Workshop { client, config, names, .. } = workshop;
        let binary = match self {
            Self::Page(delivery) => return Ok(delivery.clone()),
            Self::File(WorkerBinary { sha256, .. }) if matches!(config.binary, BinarySource::Ssh(_)) => {
                let sha256 = sha256.clone();
                return Ok(Delivery { url: bodies::BY_SSH.to_owned(), sha256, account: None });
            }
            Self::File(binary) => binary,
        };
        let account = match &config.service_account {
            Some(account) => account.clone(),
            None => unless_interrupted(workshop, client.default_service_account())
                .await?
                .ok_or(GcpError::NoAccount)?,
        };
        let bucket = names.bucket(&config.project);
        ensure_bucket(workshop, &bucket).await?;
        unless_interrupted(workshop, allow(client, &bucket, &account)).await?;
        let object = format!("archestra-bench-{}", binary.sha256);
        if !unless_interrupted(workshop, client.has_object(&bucket, &object)).await? {
            let read = tokio::fs::read(&binary.path).await;
            let bytes = read.map_err(|source| crate::fleet::binary::BinaryError::Unreadable {
                path: binary.path.clone(),
                source,
            })?;
            unless_interrupted(workshop, upload(workshop, &bucket, &object, bytes)).await?;
        }
        let url = client.download_url(&bucket, &object).to_string();
        Ok(Delivery { url, sha256: binary.sha256.clone(), account: Some(account) })
    }
}

/// It may take minutes, which nobody should take for a standstill.
async fn upload(workshop: &Workshop, bucket: &str, object: &str, bytes: Vec<u8>) -> Result<(), ApiError> {
    let megabytes = bytes.len().div_ceil(1_000_000) as u64;
    let began = clock::now();
    let mut ticks = interval(TELL_EVERY);
    let mut uploading = std::pin::pin!(workshop.client.upload(bucket, object, bytes));
    loop {
        tokio::select! {
            // The first comes at once, before anything is sent.
            biased;
            _ = ticks.tick() => {
                let seconds = clock::now().saturating_duration_since(began).as_secs();
                workshop.news.tell("the worker's binary", MachineState::Uploading { megabytes, seconds });
            }
            done = &mut uploading => return done,
        }
    }
}

async fn ensure_bucket(workshop: &Workshop, bucket: &str) -> Result<(), GcpError> {
    let Workshop { client, config, names, .. } = workshop;
    let taken = || GcpError::NameTaken {
        kind: "the bucket",
        name: bucket.to_owned(),
        fleet: names.fleet().to_owned(),
    };
    // Only the project's own are listed: one of that name in another project is nobody we know.
    let own = |buckets: Vec<super::api::Bucket>| buckets.into_iter().find(|found| found.name == bucket);
    if let Some(found) = own(unless_interrupted(workshop, client.buckets(bucket)).await?) {
        return if names.own(&found.labels) { Ok(()) } else { Err(taken()) };
    }
    let region = config.zones.first().map_or("US", |zone| region_of(zone));
    match client.insert_bucket(bucket, bodies::bucket(config, names, region)).await {
        Err(error) if error.is_already_there() => match own(client.buckets(bucket).await?) {
            Some(found) if names.own(&found.labels) => Ok(()),
            _ => Err(taken()),
        },
        made => {
            made?;
            workshop.has_made(Thing::Bucket(bucket.to_owned()));
            Ok(())
        }
    }
}

async fn allow(client: &Client, bucket: &str, account: &str) -> Result<(), GcpError> {
    let member = format!("serviceAccount:{account}");
    let mut tried = 1;
    loop {
        let mut policy = client.bucket_policy(bucket).await?;
        let holds = |binding: &super::api::Binding| binding.role == READER && binding.condition.is_none();
        if policy.bindings.iter().any(|binding| holds(binding) && binding.members.contains(&member)) {
            return Ok(());
        }
        match policy.bindings.iter_mut().find(|binding| holds(binding)) {
            Some(binding) => binding.members.push(member.clone()),
            None => policy.bindings.push(super::api::Binding {
                role: READER.into(),
                members: vec![member.clone()],
                condition: None,
            }),
        }
        match client.set_bucket_policy(bucket, &policy).await {
            Err(error) if was_changed(&error) && tried < POLICY_TRIES => tried += 1,
            set => return Ok(set?),
        }
    }
}

fn was_changed(error: &ApiError) -> bool {
    error.refusal().is_some_and(|refusal| matches!(refusal.code, 409 | 412))
}

/// Names of machine families with ARM processors.
const ARM_FAMILIES: [&str; 5] = ["t2a-", "c4a-", "n4a-", "a4x-", "c3a-"];

/// Checks what can be told without asking Google.
fn check(binary: &WorkerBinary, config: &GcpConfig) -> Result<(), GcpError> {
    let unfit =
        |problem: String, flag| GcpError::Unfit { binary: binary.path.display().to_string(), problem, flag };
    let is_arm = ARM_FAMILIES.iter().any(|family| config.machine_type.starts_with(family));
    let needed = if is_arm { Architecture::Aarch64 } else { Architecture::X86_64 };
    if binary.architecture != needed {
        let problem =
            format!("it is made for {}, and {} is {needed}", binary.architecture, config.machine_type);
        return Err(unfit(problem, "--machine-type"));
    }
    if let (Some(needed), Some(there)) = (binary.glibc, glibc_of(&config.image))
        && needed > there
    {
        let problem = format!(
            "it needs glibc {}.{}, and {} has {}.{}",
            needed.0, needed.1, config.image, there.0, there.1
        );
        return Err(unfit(problem, "--image"));
    }
    Ok(())
}

/// The glibc of well-known images.
fn glibc_of(image: &str) -> Option<(u32, u32)> {
    let known = [
        ("debian-11", (2, 31)),
        ("debian-12", (2, 36)),
        ("debian-13", (2, 41)),
        ("ubuntu-2004", (2, 31)),
        ("ubuntu-2204", (2, 35)),
        ("ubuntu-2404", (2, 39)),
    ];
    let name = image.rsplit('/').next().unwrap_or(image);
    known.into_iter().find(|(family, _)| name.starts_with(family)).map(|(_, glibc)| glibc)
}
