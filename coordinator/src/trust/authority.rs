//! A fleet's certificate authority: made once, kept under the state folder, and the only thing that signs leaves.

use std::fs;
use std::path::{Path, PathBuf};

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{ToSpan, ZonedDateTime};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use super::private_files;
use super::{COORDINATOR_NAME, FleetName, Leaf, TrustError, WORKER_NAME};

/// The same for all authorities: their keys tell them apart, and a kept one can sign without being parsed.
const AUTHORITY_NAME: &str = "archestra-bench fleet authority";

const FLEETS: &str = "fleets";
const CERTIFICATE_FILE: &str = "ca.pem";
const KEY_FILE: &str = "ca.key";

/// What a certificate may be used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// To command workers: a client.
    Coordinator,
    /// To be commanded: a server.
    Worker,
}

/// Signs the certificates of one fleet.
pub struct Authority {
    certificate_pem: String,
    key: KeyPair,
    leaf_days: i32,
}

impl Authority {
    /// An authority for one run of workers that the coordinator starts itself; nothing of it is written down.
    ///
    /// # Errors
    /// Only when no key can be made.
    pub fn ephemeral(now: &ZonedDateTime) -> Result<Self, TrustError> {
        Self::make(now, 7, 7)
    }

    /// The authority of a fleet, as [`Authority::load_or_create`] has kept it.
    ///
    /// # Errors
    /// When there is none, others can read its key, or its files are broken.
    pub fn load(state_dir: &Path, fleet: &FleetName) -> Result<Self, TrustError> {
        let folder = folder_of(state_dir, fleet);
        if !folder.exists() {
            return Err(TrustError::NoAuthority { fleet: fleet.to_string(), folder: state_dir.join(FLEETS) });
        }
        let key_path = folder.join(KEY_FILE);
        if private_files::is_exposed(&key_path)? {
            return Err(TrustError::ExposedKey { path: key_path });
        }

        let certificate_pem = private_files::read(&folder.join(CERTIFICATE_FILE))?;
        let key = KeyPair::from_pem(&private_files::read(&key_path)?);
        match key {
            Ok(key) if is_certificate_of(&certificate_pem, &key) => {
                Ok(Self { certificate_pem, key, leaf_days: 365 })
            }
            _ => Err(TrustError::BrokenAuthority { folder }),
        }
    }

    /// The authority of a fleet; made and kept where there is none. Of two who make it at once, one wins and both use it.
    ///
    /// # Errors
    /// When it cannot be kept, or what is kept cannot be used.
    pub fn load_or_create(
        state_dir: &Path,
        fleet: &FleetName,
        now: &ZonedDateTime,
    ) -> Result<Self, TrustError> {
        let folder = folder_of(state_dir, fleet);
        if !folder.exists() {
            Self::make(now, 3650, 365)?.keep(&folder)?;
        }
        Self::load(state_dir, fleet)
    }

    /// A new key with a certificate for `role`.
    ///
    /// # Errors
    /// Only when no key can be made.
    pub fn issue(&self, role: Role, now: &ZonedDateTime) -> Result<Leaf, TrustError> {
        let (name, purpose) = match role {
            Role::Coordinator => (COORDINATOR_NAME, ExtendedKeyUsagePurpose::ClientAuth),
            Role::Worker => (WORKER_NAME, ExtendedKeyUsagePurpose::ServerAuth),
        };
        let mut params = CertificateParams::new([name.to_owned()])?;
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::ExplicitNoCa;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![purpose];
        params.use_authority_key_identifier_extension = true;
        set_validity(&mut params, now, self.leaf_days);

        let key = KeyPair::generate()?;
        let certificate = params.signed_by(&key, &Issuer::new(authority_params(), &self.key))?;
        Ok(Leaf {
            certificate_pem: certificate.pem(),
            key_pem: key.serialize_pem(),
            authority_pem: self.certificate_pem.clone(),
        })
    }

    /// What both sides trust.
    pub fn certificate_pem(&self) -> &str {
        &self.certificate_pem
    }

    fn make(now: &ZonedDateTime, days: i32, leaf_days: i32) -> Result<Self, TrustError> {
        let key = KeyPair::generate()?;
        let mut params = authority_params();
        set_validity(&mut params, now, days);
        Ok(Self { certificate_pem: params.self_signed(&key)?.pem(), key, leaf_days })
    }

    /// Both files appear at once, because their folder does; or not at all.
    fn keep(&self, folder: &Path) -> Result<(), TrustError> {
        let temporary = private_files::beside(folder);
        let kept = self
            .write_into(&temporary)
            .and_then(|()| fs::rename(&temporary, folder).map_err(private_files::write_error(folder)));
        if kept.is_err() {
            drop(fs::remove_dir_all(&temporary));
        }
        // Who was faster has kept another authority there, which is as good.
        if folder.exists() { Ok(()) } else { kept }
    }

    fn write_into(&self, folder: &Path) -> Result<(), TrustError> {
        private_files::create_folder(folder)?;
        private_files::create_file(&folder.join(CERTIFICATE_FILE), &self.certificate_pem)?;
        private_files::create_file(&folder.join(KEY_FILE), &self.key.serialize_pem())
    }
}

impl std::fmt::Debug for Authority {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Authority").field("certificate_pem", &self.certificate_pem).finish_non_exhaustive()
    }
}

fn folder_of(state_dir: &Path, fleet: &FleetName) -> PathBuf {
    state_dir.join(FLEETS).join(fleet.as_str())
}

fn authority_params() -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, AUTHORITY_NAME);
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
    params
}

/// From yesterday, because clocks differ, for so many days from today.
fn set_validity(params: &mut CertificateParams, now: &ZonedDateTime, days: i32) {
    let today = now.with_time_zone(TimeZone::UTC).date();
    let date = |date: Date| rcgen::date_time_ymd(date.year().into(), date.month() as u8, date.day() as u8);
    params.not_before = date(today.saturating_sub(1.day()));
    params.not_after = date(today.saturating_add(days.days()));
}

/// A certificate holds its public key as it is.
fn is_certificate_of(certificate_pem: &str, key: &KeyPair) -> bool {
    CertificateDer::from_pem_slice(certificate_pem.as_bytes()).is_ok_and(|certificate| {
        let public_key = key.public_key_raw();
        certificate.windows(public_key.len()).any(|part| part == public_key)
    })
}
