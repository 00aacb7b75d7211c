//! The bridge to `aws-lc-sys`: what `aws-lc-rs` does not offer, behind safe functions. The only `unsafe` of this crate.
//!
//! Asymmetric keys live here whole, so that one object signs (with SHA-1 too, for peers of the time), decrypts (OAEP with any
//! pair of digests, and raw, for RSA-1.5 with implicit rejection) and tells its public half. Block ciphers are here for CBC
//! without padding rules, Triple DES, RC2 (old PKCS#12 files) and AES-192 key wrap.
//!
//! Every function checks lengths in Rust, passes pointers of slices that outlive the call, and frees through a guard.
//! Failures leave entries in the library's per-thread error queue; nothing reads it, so it is cleared.

#![allow(unsafe_code, reason = "the one module that calls the C library")]

use crate::{Curve, DigestAlgorithm};
use aws_lc_sys as ffi;
use std::mem::MaybeUninit;
use std::os::raw::{c_int, c_uint};
use std::ptr::{self, NonNull};
use zeroize::Zeroizing;

/// The library refused. The caller knows what that means.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Refused;

/// An RSA or EC key, public or private.
pub(crate) struct Pkey(NonNull<ffi::EVP_PKEY>);

// SAFETY: an EVP_PKEY that is no longer modified may be used from several threads at once (openssl/evp.h, openssl/rsa.h and
// openssl/ec_key.h: "const" operations and signing are safe; RSA's caches are under its own lock). Nothing here modifies a
// key after its construction.
unsafe impl Send for Pkey {}
// SAFETY: as above.
unsafe impl Sync for Pkey {}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PkeyKind {
    Rsa { bits: u32 },
    Ec(Curve),
}

/// What an RSA operation does to the bytes around the message.
#[derive(Clone, Copy)]
pub(crate) enum RsaPadding<'a> {
    /// None: the caller sees the whole block. Decryption only.
    None,
    Pkcs1,
    Oaep {
        digest: DigestAlgorithm,
        mgf1: DigestAlgorithm,
        label: &'a [u8],
    },
}

impl Pkey {
    /// Reads a PKCS#8 `PrivateKeyInfo` and checks the key's consistency.
    pub(crate) fn from_pkcs8(der: &[u8]) -> Result<Self, Refused> {
        // SAFETY: the function reads within the CBS only and returns a new key or null.
        Self::parse(der, |cbs| unsafe { ffi::EVP_parse_private_key(cbs) })
    }

    /// Reads a `SubjectPublicKeyInfo`.
    pub(crate) fn from_spki(der: &[u8]) -> Result<Self, Refused> {
        // SAFETY: as in `from_pkcs8`.
        Self::parse(der, |cbs| unsafe { ffi::EVP_parse_public_key(cbs) })
    }

    pub(crate) fn generate(kind: PkeyKind) -> Result<Self, Refused> {
        let id = match kind {
            PkeyKind::Rsa { .. } => ffi::EVP_PKEY_RSA,
            PkeyKind::Ec(_) => ffi::EVP_PKEY_EC,
        };
        // SAFETY: a new context, or null, which the guard refuses; no engine.
        let context = Context::guard(unsafe { ffi::EVP_PKEY_CTX_new_id(id, ptr::null_mut()) })?;
        let mut key = ptr::null_mut();
        // SAFETY: the context is live; `key` receives a new key that the guard below owns.
        unsafe {
            succeeded(ffi::EVP_PKEY_keygen_init(context.0.as_ptr()))?;
            succeeded(match kind {
                PkeyKind::Rsa { bits } => {
                    ffi::EVP_PKEY_CTX_set_rsa_keygen_bits(context.0.as_ptr(), int(bits as usize)?)
                }
                PkeyKind::Ec(curve) => ffi::EVP_PKEY_CTX_set_ec_paramgen_curve_nid(context.0.as_ptr(), nid(curve)),
            })?;
            succeeded(ffi::EVP_PKEY_keygen(context.0.as_ptr(), &mut key))?;
        }
        NonNull::new(key).map(Self).ok_or(Refused)
    }

    fn parse(der: &[u8], read: impl FnOnce(*mut ffi::CBS) -> *mut ffi::EVP_PKEY) -> Result<Self, Refused> {
        let mut cbs = MaybeUninit::uninit();
        // SAFETY: CBS_init sets all fields; `der` outlives the CBS.
        let mut cbs: ffi::CBS = unsafe {
            ffi::CBS_init(cbs.as_mut_ptr(), der.as_ptr(), der.len());
            cbs.assume_init()
        };
        let key = NonNull::new(read(&mut cbs)).map(Self).ok_or_else(refused)?;
        // SAFETY: reads a field of a live CBS.
        let rest = unsafe { ffi::CBS_len(&cbs) };
        if rest == 0 { Ok(key) } else { Err(Refused) }
    }

    /// Its kind; none when it is neither RSA nor of a supported curve.
    pub(crate) fn kind(&self) -> Option<PkeyKind> {
        // SAFETY: the key is live; the EC_KEY and its group are owned by it and used within this block only.
        unsafe {
            match ffi::EVP_PKEY_id(self.0.as_ptr()) {
                ffi::EVP_PKEY_RSA => Some(PkeyKind::Rsa { bits: ffi::EVP_PKEY_bits(self.0.as_ptr()).try_into().ok()? }),
                ffi::EVP_PKEY_EC => {
                    let key = NonNull::new(ffi::EVP_PKEY_get0_EC_KEY(self.0.as_ptr()))?;
                    let group = ffi::EC_KEY_get0_group(key.as_ptr());
                    let name = if group.is_null() { 0 } else { ffi::EC_GROUP_get_curve_name(group) };
                    let curves = [Curve::P256, Curve::P384, Curve::P521];
                    curves.into_iter().find(|curve| nid(*curve) == name).map(PkeyKind::Ec)
                }
                _ => None,
            }
        }
    }

    /// The public half as a `SubjectPublicKeyInfo`.
    pub(crate) fn to_spki(&self) -> Result<Vec<u8>, Refused> {
        // SAFETY: the key is live; the function appends to the CBB only.
        self.marshal(|cbb, key| unsafe { ffi::EVP_marshal_public_key(cbb, key) }).map(|der| der.to_vec())
    }

    /// The private key as a PKCS#8 `PrivateKeyInfo`.
    pub(crate) fn to_pkcs8(&self) -> Result<Zeroizing<Vec<u8>>, Refused> {
        // SAFETY: as in `to_spki`. The CBB's own memory is wiped when the library frees it.
        self.marshal(|cbb, key| unsafe { ffi::EVP_marshal_private_key(cbb, key) })
    }

    fn marshal(
        &self,
        write: impl FnOnce(*mut ffi::CBB, *const ffi::EVP_PKEY) -> c_int,
    ) -> Result<Zeroizing<Vec<u8>>, Refused> {
        struct Builder(ffi::CBB);
        impl Drop for Builder {
            fn drop(&mut self) {
                // SAFETY: the CBB was initialized; cleaning up is legal in every state.
                unsafe { ffi::CBB_cleanup(&mut self.0) }
            }
        }
        let mut cbb = MaybeUninit::uninit();
        // SAFETY: CBB_init sets all fields when it succeeds. A CBB without children may be moved.
        let mut builder = unsafe {
            succeeded(ffi::CBB_init(cbb.as_mut_ptr(), 2048))?;
            Builder(cbb.assume_init())
        };
        succeeded(write(&mut builder.0, self.0.as_ptr()))?;
        // SAFETY: after a flush, CBB_data points to CBB_len initialized bytes that live until the CBB changes.
        unsafe {
            succeeded(ffi::CBB_flush(&mut builder.0))?;
            let (data, len) = (ffi::CBB_data(&builder.0), ffi::CBB_len(&builder.0));
            if data.is_null() {
                return Err(Refused);
            }
            Ok(Zeroizing::new(std::slice::from_raw_parts(data, len).to_vec()))
        }
    }

    /// Signs a digest: RSA with PKCS#1 v1.5, EC as a DER `ECDSA-Sig-Value`.
    pub(crate) fn sign_digest(&self, algorithm: DigestAlgorithm, digest: &[u8]) -> Result<Vec<u8>, Refused> {
        let context = self.context()?;
        let mut len = self.size()?;
        let mut signature = vec![0; len];
        // SAFETY: context and key are live; `signature` has `len` bytes, the library's upper bound for this key, and the
        // library checks the digest's length against the algorithm.
        unsafe {
            succeeded(ffi::EVP_PKEY_sign_init(context.0.as_ptr()))?;
            succeeded(ffi::EVP_PKEY_CTX_set_signature_md(context.0.as_ptr(), message_digest(algorithm)))?;
            succeeded(ffi::EVP_PKEY_sign(
                context.0.as_ptr(),
                signature.as_mut_ptr(),
                &mut len,
                digest.as_ptr(),
                digest.len(),
            ))?;
        }
        signature.truncate(len);
        Ok(signature)
    }

    /// Verifies what [`Self::sign_digest`] makes.
    pub(crate) fn verify_digest(
        &self,
        algorithm: DigestAlgorithm,
        digest: &[u8],
        signature: &[u8],
    ) -> Result<(), Refused> {
        let context = self.context()?;
        // SAFETY: context and key are live; the slices are passed with their lengths.
        unsafe {
            succeeded(ffi::EVP_PKEY_verify_init(context.0.as_ptr()))?;
            succeeded(ffi::EVP_PKEY_CTX_set_signature_md(context.0.as_ptr(), message_digest(algorithm)))?;
            succeeded(ffi::EVP_PKEY_verify(
                context.0.as_ptr(),
                signature.as_ptr(),
                signature.len(),
                digest.as_ptr(),
                digest.len(),
            ))
        }
    }

    pub(crate) fn rsa_encrypt(&self, padding: RsaPadding<'_>, message: &[u8]) -> Result<Vec<u8>, Refused> {
        let context = self.context()?;
        let mut len = self.size()?;
        let mut out = vec![0; len];
        // SAFETY: context and key are live; `out` has room for one block of this key, and `len` says so.
        unsafe {
            succeeded(ffi::EVP_PKEY_encrypt_init(context.0.as_ptr()))?;
            context.set_padding(padding)?;
            succeeded(ffi::EVP_PKEY_encrypt(
                context.0.as_ptr(),
                out.as_mut_ptr(),
                &mut len,
                message.as_ptr(),
                message.len(),
            ))?;
        }
        out.truncate(len);
        Ok(out)
    }

    pub(crate) fn rsa_decrypt(
        &self,
        padding: RsaPadding<'_>,
        ciphertext: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, Refused> {
        let context = self.context()?;
        let mut len = self.size()?;
        let mut out = Zeroizing::new(vec![0; len]);
        // SAFETY: as in `rsa_encrypt`; the library refuses ciphertexts that are not of the modulus' length.
        unsafe {
            succeeded(ffi::EVP_PKEY_decrypt_init(context.0.as_ptr()))?;
            context.set_padding(padding)?;
            succeeded(ffi::EVP_PKEY_decrypt(
                context.0.as_ptr(),
                out.as_mut_ptr(),
                &mut len,
                ciphertext.as_ptr(),
                ciphertext.len(),
            ))?;
        }
        out.truncate(len);
        Ok(out)
    }

    /// The most bytes of a signature or a ciphertext.
    fn size(&self) -> Result<usize, Refused> {
        // SAFETY: the key is live.
        unsafe { ffi::EVP_PKEY_size(self.0.as_ptr()) }.try_into().map_err(|_| Refused)
    }

    fn context(&self) -> Result<Context, Refused> {
        // SAFETY: the key is live, and the context holds its own reference to it; no engine.
        Context::guard(unsafe { ffi::EVP_PKEY_CTX_new(self.0.as_ptr(), ptr::null_mut()) })
    }
}

impl Drop for Pkey {
    fn drop(&mut self) {
        // SAFETY: this is the owner; private parts are wiped by the library.
        unsafe { ffi::EVP_PKEY_free(self.0.as_ptr()) }
    }
}

struct Context(NonNull<ffi::EVP_PKEY_CTX>);

impl Context {
    fn guard(context: *mut ffi::EVP_PKEY_CTX) -> Result<Self, Refused> {
        NonNull::new(context).map(Self).ok_or_else(refused)
    }

    /// # Safety
    /// The context is initialized for encryption or decryption.
    unsafe fn set_padding(&self, padding: RsaPadding<'_>) -> Result<(), Refused> {
        let context = self.0.as_ptr();
        let number = match padding {
            RsaPadding::None => ffi::RSA_NO_PADDING,
            RsaPadding::Pkcs1 => ffi::RSA_PKCS1_PADDING,
            RsaPadding::Oaep { .. } => ffi::RSA_PKCS1_OAEP_PADDING,
        };
        // SAFETY: the context is live and initialized.
        succeeded(unsafe { ffi::EVP_PKEY_CTX_set_rsa_padding(context, number) })?;
        let RsaPadding::Oaep { digest, mgf1, label } = padding else { return Ok(()) };
        // SAFETY: as above; digests are static.
        unsafe {
            succeeded(ffi::EVP_PKEY_CTX_set_rsa_oaep_md(context, message_digest(digest)))?;
            succeeded(ffi::EVP_PKEY_CTX_set_rsa_mgf1_md(context, message_digest(mgf1)))?;
        }
        if label.is_empty() {
            return Ok(());
        }
        // SAFETY: `copy` has room for the label. On success the context owns it, on failure it is still ours.
        unsafe {
            let copy = ffi::OPENSSL_malloc(label.len()).cast::<u8>();
            if copy.is_null() {
                return Err(refused());
            }
            ptr::copy_nonoverlapping(label.as_ptr(), copy, label.len());
            let set = succeeded(ffi::EVP_PKEY_CTX_set0_rsa_oaep_label(context, copy, label.len()));
            if set.is_err() {
                ffi::OPENSSL_free(copy.cast());
            }
            set
        }
    }
}

impl Drop for Context {
    fn drop(&mut self) {
        // SAFETY: this is the owner.
        unsafe { ffi::EVP_PKEY_CTX_free(self.0.as_ptr()) }
    }
}

/// Block ciphers in CBC mode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BlockCipher {
    Aes128,
    Aes192,
    Aes256,
    TripleDes,
    Rc2With40Bits,
    Rc2With128Bits,
}

impl BlockCipher {
    pub(crate) const fn key_len(self) -> usize {
        match self {
            Self::Rc2With40Bits => 5,
            Self::Aes128 | Self::Rc2With128Bits => 16,
            Self::Aes192 | Self::TripleDes => 24,
            Self::Aes256 => 32,
        }
    }

    pub(crate) const fn block_len(self) -> usize {
        match self {
            Self::Aes128 | Self::Aes192 | Self::Aes256 => 16,
            Self::TripleDes | Self::Rc2With40Bits | Self::Rc2With128Bits => 8,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Direction {
    Encrypt,
    Decrypt,
}

/// Whole blocks in CBC mode, in place, without padding.
pub(crate) fn cbc(
    cipher: BlockCipher,
    direction: Direction,
    key: &[u8],
    iv: &[u8],
    data: &mut [u8],
) -> Result<(), Refused> {
    struct Guard(NonNull<ffi::EVP_CIPHER_CTX>);
    impl Drop for Guard {
        fn drop(&mut self) {
            // SAFETY: this is the owner; the key schedule is wiped by the library.
            unsafe { ffi::EVP_CIPHER_CTX_free(self.0.as_ptr()) }
        }
    }
    let block = cipher.block_len();
    if key.len() != cipher.key_len() || iv.len() != block || !data.len().is_multiple_of(block) {
        return Err(Refused);
    }
    let mut written = 0;
    // SAFETY: the functions return pointers to static tables. Key and IV have the lengths that the cipher reads (checked above). Input and output are the same slice, which
    // the library allows; without padding, an update over whole blocks writes exactly as many bytes as it reads.
    unsafe {
        let evp = match cipher {
            // Messages have many short parts: what the general way sets up for each would take longer than the cipher.
            BlockCipher::Aes128 | BlockCipher::Aes192 | BlockCipher::Aes256 => {
                return aes_cbc(direction, key, iv.try_into().map_err(|_| Refused)?, data);
            }
            BlockCipher::TripleDes => ffi::EVP_des_ede3_cbc(),
            BlockCipher::Rc2With40Bits => ffi::EVP_rc2_40_cbc(),
            BlockCipher::Rc2With128Bits => ffi::EVP_rc2_cbc(),
        };
        let context = Guard(NonNull::new(ffi::EVP_CIPHER_CTX_new()).ok_or_else(refused)?);
        let encrypt = c_int::from(direction == Direction::Encrypt);
        succeeded(ffi::EVP_CipherInit_ex(
            context.0.as_ptr(),
            evp,
            ptr::null_mut(),
            key.as_ptr(),
            iv.as_ptr(),
            encrypt,
        ))?;
        succeeded(ffi::EVP_CIPHER_CTX_set_padding(context.0.as_ptr(), 0))?;
        succeeded(ffi::EVP_CipherUpdate(
            context.0.as_ptr(),
            data.as_mut_ptr(),
            &mut written,
            data.as_ptr(),
            int(data.len())?,
        ))?;
    }
    if usize::try_from(written) == Ok(data.len()) { Ok(()) } else { Err(Refused) }
}

/// AES over whole blocks, in place. The key has a length that AES has.
fn aes_cbc(direction: Direction, key: &[u8], mut iv: [u8; 16], data: &mut [u8]) -> Result<(), Refused> {
    let mut schedule = Schedule(MaybeUninit::zeroed());
    let bits = (key.len() * 8) as c_uint;
    // SAFETY: `key` has `bits` bits; the schedule is set, for this direction, before it is used; the IV has one block, and so has
    // what replaces it. Input and output are the same slice, which the library allows.
    unsafe {
        let encrypt = match direction {
            Direction::Encrypt => {
                zero(ffi::AES_set_encrypt_key(key.as_ptr(), bits, schedule.0.as_mut_ptr()))?;
                ffi::AES_ENCRYPT
            }
            Direction::Decrypt => {
                zero(ffi::AES_set_decrypt_key(key.as_ptr(), bits, schedule.0.as_mut_ptr()))?;
                ffi::AES_DECRYPT
            }
        };
        ffi::AES_cbc_encrypt(
            data.as_ptr(),
            data.as_mut_ptr(),
            data.len(),
            schedule.0.as_ptr(),
            iv.as_mut_ptr(),
            encrypt as c_int,
        );
    }
    Ok(())
}

/// AES key wrap of RFC 3394 for all three key sizes. `out` is 8 bytes longer than `key_data`, or shorter when unwrapping.
pub(crate) fn aes_key_wrap(kek: &[u8], direction: Direction, input: &[u8], out: &mut [u8]) -> Result<(), Refused> {
    let lengths_fit = match direction {
        Direction::Encrypt => input.len() >= 16 && out.len() == input.len() + 8,
        Direction::Decrypt => input.len() >= 24 && out.len() + 8 == input.len(),
    };
    if !lengths_fit || !input.len().is_multiple_of(8) || !matches!(kek.len(), 16 | 24 | 32) {
        return Err(Refused);
    }
    let bits = (kek.len() * 8) as c_uint;
    let mut schedule = Schedule(MaybeUninit::zeroed());
    // SAFETY: `kek` has `bits` bits; the schedule is set before it is used; a null IV means the standard's; input and output
    // have the lengths that the functions read and write (checked above) and do not overlap.
    let outcome = unsafe {
        match direction {
            Direction::Encrypt => {
                zero(ffi::AES_set_encrypt_key(kek.as_ptr(), bits, schedule.0.as_mut_ptr()))?;
                ffi::AES_wrap_key(schedule.0.as_ptr(), ptr::null(), out.as_mut_ptr(), input.as_ptr(), input.len())
            }
            Direction::Decrypt => {
                zero(ffi::AES_set_decrypt_key(kek.as_ptr(), bits, schedule.0.as_mut_ptr()))?;
                ffi::AES_unwrap_key(schedule.0.as_ptr(), ptr::null(), out.as_mut_ptr(), input.as_ptr(), input.len())
            }
        }
    };
    if usize::try_from(outcome) == Ok(out.len()) {
        return Ok(());
    }
    zeroize::Zeroize::zeroize(out);
    Err(refused())
}

/// Overwrites memory, and is not optimized away. For what is too long to be overwritten byte by byte.
pub(crate) fn cleanse(octets: &mut [u8]) {
    // SAFETY: the slice may be written over its whole length.
    unsafe { ffi::OPENSSL_cleanse(octets.as_mut_ptr().cast(), octets.len()) }
}

/// An AES key schedule, wiped on drop.
struct Schedule(MaybeUninit<ffi::AES_KEY>);

impl Drop for Schedule {
    fn drop(&mut self) {
        // SAFETY: this is the owner, and nothing reads it any more.
        unsafe { ffi::OPENSSL_cleanse(self.0.as_mut_ptr().cast(), size_of::<ffi::AES_KEY>()) }
    }
}

const fn nid(curve: Curve) -> c_int {
    match curve {
        Curve::P256 => ffi::NID_X9_62_prime256v1,
        Curve::P384 => ffi::NID_secp384r1,
        Curve::P521 => ffi::NID_secp521r1,
    }
}

fn message_digest(algorithm: DigestAlgorithm) -> *const ffi::EVP_MD {
    // SAFETY: these return pointers to static tables.
    unsafe {
        match algorithm {
            DigestAlgorithm::Sha1 => ffi::EVP_sha1(),
            DigestAlgorithm::Sha256 => ffi::EVP_sha256(),
            DigestAlgorithm::Sha384 => ffi::EVP_sha384(),
            DigestAlgorithm::Sha512 => ffi::EVP_sha512(),
        }
    }
}

fn int(length: usize) -> Result<c_int, Refused> {
    c_int::try_from(length).map_err(|_| Refused)
}

fn succeeded(result: c_int) -> Result<(), Refused> {
    if result == 1 { Ok(()) } else { Err(refused()) }
}

/// Functions of the AES family return 0 when they succeed.
fn zero(result: c_int) -> Result<(), Refused> {
    if result == 0 { Ok(()) } else { Err(refused()) }
}

fn refused() -> Refused {
    // SAFETY: clears the queue of this thread.
    unsafe { ffi::ERR_clear_error() };
    Refused
}
