package evidence

import (
	"time"

	"github.com/glassbuild/glassbuild/internal/evidence/strictjson"
)

// Every limit on what is read or counted, enforced before parsing (sigstore-go CVE-2024-45395, cosign CVE-2023-46737).
const (
	// MaxFile bounds one file of evidence: a bundle, an envelope, or a list of either.
	MaxFile = 64 << 20
	// MaxBundle bounds one bundle or envelope.
	MaxBundle = 32 << 20
	// MaxBundles bounds the bundles in one file.
	MaxBundles = 4096
	// MaxPayload bounds the payload of one envelope.
	MaxPayload = 16 << 20
	// MaxSubjects bounds the subjects of one statement.
	MaxSubjects = 1024
	// MaxDigests bounds the digests of one subject or of one dependency.
	MaxDigests = 32
	// MaxDependencies bounds the resolved dependencies, materials and byproducts of one provenance.
	MaxDependencies = 65536
	// MaxLogEntries bounds the log entries of one bundle.
	MaxLogEntries = 32
	// MaxTimestamps bounds the RFC 3161 timestamps of one bundle.
	MaxTimestamps = 32
	// MaxSignatures bounds the signatures of one envelope.
	MaxSignatures = 32
	// MaxCertificates bounds the certificates of one bundle.
	MaxCertificates = 16
	// MaxCertificate bounds one certificate in DER.
	MaxCertificate = 64 << 10
	// MaxSignature bounds one signature.
	MaxSignature = 16 << 10
	// MaxTimestamp bounds one RFC 3161 response.
	MaxTimestamp = 64 << 10
	// MaxBody bounds the canonical body of one log entry. An intoto entry may repeat the payload, in base64 twice over.
	MaxBody = 32 << 20
	// MaxProof bounds the hashes of one inclusion proof: the height of a tree.
	MaxProof = 64
	// MaxCheckpoint bounds one checkpoint.
	MaxCheckpoint = 64 << 10
	// MaxName bounds names, URIs, types and values of certificate extensions.
	MaxName = 16 << 10
	// MaxTrustedRoots bounds one trusted root file.
	MaxTrustedRoots = 4 << 20
	// MaxInstances bounds the trusted roots in one file of JSON lines.
	MaxInstances = 64
	// MaxPEM bounds what a log entry says of a key.
	MaxPEM = 128 << 10
	// MaxSCTs bounds the signed certificate timestamps in one certificate.
	MaxSCTs = 16
	// MaxContent bounds the artefact that is read whole for a signature of pure Ed25519.
	MaxContent = 256 << 20

	// MaxLogSize bounds the entries of a log that is read whole.
	MaxLogSize = 1 << 18
	// MaxLogBytes bounds what is read of it.
	MaxLogBytes = 1 << 30
	// MaxFound bounds what a log's index may answer about one artefact.
	MaxFound = 256

	// ClockSkew is how far ahead of this machine's clock a signed time may lie.
	ClockSkew = 5 * time.Minute
)

// tileWidth is how many entries lie in a full bundle (C2SP tlog-tiles).
const tileWidth = 256

// The shapes of what is read. Counts that have a limit of their own are checked against it before elements are built.
var (
	bundleLimits    = strictjson.Limits{Bytes: MaxBundle, Depth: 24, Elements: 1 << 17, Values: 1 << 20}
	fileLimits      = strictjson.Limits{Bytes: MaxFile, Depth: 40, Elements: 1 << 17, Values: 1 << 21}
	statementLimits = strictjson.Limits{Bytes: MaxPayload, Depth: 64, Elements: 1 << 19, Values: 1 << 21}
	bodyLimits      = strictjson.Limits{Bytes: MaxBody, Depth: 12, Elements: 64, Values: 256}
	answerLimits    = strictjson.Limits{Bytes: maxEntryAnswer, Depth: 8, Elements: MaxFound * 2, Values: 4096}
	rootLimits      = strictjson.Limits{Bytes: MaxTrustedRoots, Depth: 24, Elements: 4096, Values: 1 << 16}

	maxWitnesses     = 16       // log entries and timestamps that one detached signature keeps
	maxDetachedEntry = 64 << 10 // one of them

	maxEntryBundle = tileWidth * (2 + 1<<16) // each entry has its length in two bytes
	maxIndexAnswer = MaxFound * 128
	maxEntryAnswer = 2*MaxBody + MaxPayload*2
)
