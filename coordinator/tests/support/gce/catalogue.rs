//! What a cloud has before anybody makes something: regions, zones, machine types, images, networks and quotas.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::state::{LINKS, PROJECT_NUMBER, State};

/// Such as `europe-west1-b`; the region is what comes before the last dash.
const ZONES: [&str; 12] = [
    "asia-northeast1-a",
    "europe-west1-b",
    "europe-west1-c",
    "europe-west1-d",
    "europe-west3-a",
    "europe-west3-b",
    "europe-west4-a",
    "us-central1-a",
    "us-central1-b",
    "us-central1-f",
    "us-east1-b",
    "us-west1-a",
];
/// Name, virtual processors, memory in MiB.
const MACHINE_TYPES: [(&str, u32, u32); 14] = [
    ("c3-standard-4", 4, 16384),
    ("c3-standard-8", 8, 32768),
    ("e2-highcpu-4", 4, 4096),
    ("e2-highcpu-8", 8, 8192),
    ("e2-medium", 2, 4096),
    ("e2-micro", 2, 1024),
    ("e2-small", 2, 2048),
    ("e2-standard-2", 2, 8192),
    ("e2-standard-4", 4, 16384),
    ("e2-standard-8", 8, 32768),
    ("n2-standard-16", 16, 65536),
    ("n2-standard-2", 2, 8192),
    ("n2-standard-4", 4, 16384),
    ("n2-standard-8", 8, 32768),
];
/// Project, family, name.
const IMAGES: [(&str, &str, &str); 4] = [
    ("cos-cloud", "cos-stable", "cos-stable-125-19216-104-25"),
    ("debian-cloud", "debian-11", "debian-11-bullseye-v20261110"),
    ("debian-cloud", "debian-12", "debian-12-bookworm-v20261110"),
    ("ubuntu-os-cloud", "ubuntu-2404-lts-amd64", "ubuntu-2404-noble-amd64-v20261112"),
];
/// Quotas of every region.
const QUOTAS: [(&str, f64); 6] = [
    ("CPUS", 500.0),
    ("DISKS_TOTAL_GB", 4096.0),
    ("INSTANCES", 720.0),
    ("IN_USE_ADDRESSES", 64.0),
    ("PREEMPTIBLE_CPUS", 0.0),
    ("SSD_TOTAL_GB", 500.0),
];
/// So large is an image.
pub const IMAGE_GB: u64 = 10;

/// What there is.
pub struct Catalogue {
    /// Project, family, name.
    pub images: Vec<(String, String, String)>,
    /// The networks of every project.
    pub networks: BTreeSet<String>,
    /// Limits, by region and metric.
    pub quotas: BTreeMap<(String, String), f64>,
}

/// The region of a zone.
pub fn region_of(zone: &str) -> &str {
    zone.rsplit_once('-').map_or(zone, |(region, _)| region)
}

/// The zones, in order.
pub fn zones() -> impl Iterator<Item = &'static str> {
    ZONES.into_iter()
}

/// The virtual processors of a machine type; `None` when there is none of that name.
pub fn processors(machine_type: &str) -> Option<u32> {
    MACHINE_TYPES.iter().find(|(name, ..)| *name == machine_type).map(|(_, processors, _)| *processors)
}

/// As `zones.get` shows it.
pub fn zone(project: &str, zone: &str) -> Option<Value> {
    ZONES.contains(&zone).then(|| {
        json!({
            "kind": "compute#zone", "id": "2231", "name": zone, "description": zone, "status": "UP",
            "creationTimestamp": "2014-05-30T18:35:16.514-07:00",
            "region": format!("{LINKS}projects/{project}/regions/{}", region_of(zone)),
            "selfLink": format!("{LINKS}projects/{project}/zones/{zone}"),
            "availableCpuPlatforms": ["Intel Skylake", "Intel Broadwell"], "supportsPzs": true,
        })
    })
}

/// As `machineTypes.get` shows it.
pub fn machine_type(project: &str, zone: &str, name: &str) -> Option<Value> {
    let (_, processors, memory) = MACHINE_TYPES.iter().find(|(known, ..)| *known == name)?;
    ZONES.contains(&zone).then(|| {
        json!({
            "kind": "compute#machineType", "id": "334002", "name": name, "zone": zone,
            "creationTimestamp": "1969-12-31T16:00:00.000-08:00",
            "description": format!("{processors} vCPUs, {memory} MB RAM"),
            "guestCpus": processors, "memoryMb": memory, "imageSpaceGb": 0, "isSharedCpu": false,
            "maximumPersistentDisks": 128, "maximumPersistentDisksSizeGb": "263168", "architecture": "X86_64",
            "selfLink": format!("{LINKS}projects/{project}/zones/{zone}/machineTypes/{name}"),
        })
    })
}

/// As `projects.get` shows it.
pub fn project(project: &str) -> Value {
    json!({
        "kind": "compute#project", "id": "5127336193842512", "name": project,
        "creationTimestamp": "2025-01-07T03:27:52.145-08:00",
        "commonInstanceMetadata": {"kind": "compute#metadata", "fingerprint": "K5Kdw9s2dnE="},
        "defaultServiceAccount": default_service_account(), "defaultNetworkTier": "PREMIUM",
        "xpnProjectStatus": "UNSPECIFIED_XPN_PROJECT_STATUS",
        "quotas": [
            {"metric": "FIREWALLS", "limit": 100.0, "usage": 0.0},
            {"metric": "CPUS_ALL_REGIONS", "limit": 32.0, "usage": 20.0},
        ],
        "selfLink": format!("{LINKS}projects/{project}"),
    })
}

/// The service account that a VM has when it is to have one and none is named.
pub fn default_service_account() -> String {
    format!("{PROJECT_NUMBER}-compute@developer.gserviceaccount.com")
}

impl Catalogue {
    /// As it is at first.
    pub fn new() -> Self {
        let owned = |(project, family, name): (&str, &str, &str)| {
            (project.to_owned(), family.to_owned(), name.to_owned())
        };
        let quotas = zones().flat_map(|zone| {
            QUOTAS.map(|(metric, limit)| ((region_of(zone).to_owned(), metric.to_owned()), limit))
        });
        Self {
            images: IMAGES.into_iter().map(owned).collect(),
            networks: BTreeSet::from(["default".to_owned()]),
            quotas: quotas.collect(),
        }
    }

    /// As `images.getFromFamily` shows it.
    pub fn image(&self, project: &str, family: &str) -> Option<Value> {
        let (.., name) = self.images.iter().find(|image| image.0 == project && image.1 == family)?;
        Some(json!({
            "kind": "compute#image", "id": "7241983461297834", "name": name, "family": family, "status": "READY",
            "creationTimestamp": "2026-11-10T11:12:13.145-08:00", "sourceType": "RAW", "architecture": "X86_64",
            "archiveSizeBytes": "1179237376", "diskSizeGb": IMAGE_GB.to_string(), "labelFingerprint": "42WmSpB8rSM=",
            "selfLink": format!("{LINKS}projects/{project}/global/images/{name}"),
        }))
    }

    /// Whether an image is one: `path` begins with `projects/`.
    pub fn has_image(&self, path: &str) -> bool {
        let parts: Vec<&str> = path.split('/').collect();
        self.images.iter().any(|(project, family, name)| match parts[..] {
            ["projects", of, "global", "images", "family", wanted] => of == project && wanted == family,
            ["projects", of, "zones", _, "imageFamilyViews", wanted] => of == project && wanted == family,
            ["projects", of, "global", "images", wanted] => of == project && wanted == name,
            _ => false,
        })
    }

    /// As `networks.get` shows it.
    pub fn network(&self, project: &str, name: &str) -> Option<Value> {
        self.networks.contains(name).then(|| {
            json!({
                "kind": "compute#network", "id": "4151287523784523", "name": name,
                "creationTimestamp": "2025-01-07T03:28:52.145-08:00", "autoCreateSubnetworks": true,
                "routingConfig": {"routingMode": "REGIONAL"},
                "selfLink": format!("{LINKS}projects/{project}/global/networks/{name}"),
            })
        })
    }
}

impl State {
    /// As `regions.get` shows it, with what is used of its quotas.
    pub fn region(&self, project: &str, region: &str) -> Option<Value> {
        let zones: Vec<String> = zones()
            .filter(|zone| region_of(zone) == region)
            .map(|zone| format!("{LINKS}projects/{project}/zones/{zone}"))
            .collect();
        let limits = self.catalogue.quotas.iter().filter(|((of, _), _)| of == region);
        let quotas: Vec<Value> = limits
            .map(|((_, metric), limit)| {
                json!({"metric": metric, "limit": limit, "usage": self.usage(project, region, metric)})
            })
            .collect();
        (!zones.is_empty()).then(|| {
            json!({
                "kind": "compute#region", "id": "1100", "name": region, "description": region, "status": "UP",
                "creationTimestamp": "2014-05-30T18:35:16.413-07:00", "zones": zones, "quotas": quotas,
                "selfLink": format!("{LINKS}projects/{project}/regions/{region}"),
            })
        })
    }

    fn usage(&self, project: &str, region: &str, metric: &str) -> f64 {
        let here = self.instances.iter().filter(|(place, _)| {
            place.project == project && region_of(place.zone.as_deref().unwrap_or_default()) == region
        });
        here.map(|(_, instance)| instance.usage(metric)).sum()
    }

    /// The quota that is used beyond its limit, if any: its metric and limit.
    pub fn exceeded_quota(&self, project: &str, region: &str) -> Option<(String, u32)> {
        let limits = self.catalogue.quotas.iter().filter(|((of, _), _)| of == region);
        let mut exceeded =
            limits.filter(|((_, metric), limit)| self.usage(project, region, metric) > **limit);
        exceeded.next().map(|((_, metric), limit)| (metric.clone(), *limit as u32))
    }
}
