package signature

import "time"

// Every limit on what is read, enforced before parsing.
const (
	// MaxPayload bounds the signed bytes: a commit or tag object.
	MaxPayload = 64 << 20
	// MaxArmour bounds an armoured signature. A CMS signature carries certificates and a log entry.
	MaxArmour = 1 << 20
	// MaxCertificates bounds the certificates in a CMS signature.
	MaxCertificates = 16
	// MaxAttributes bounds the signed and the unsigned attributes of a CMS signature.
	MaxAttributes = 32
	// MaxEvidence bounds the log entries and timestamps in one CMS signature.
	MaxEvidence = 32
	// MaxStamp bounds a timestamp inside an embedded signature, its certificates included.
	MaxStamp = 24 << 10
	// MaxStamperCertificate bounds one certificate of a timestamping authority that the policy does not know.
	MaxStamperCertificate = 4 << 10
	// MaxNames bounds the subjects of a certificate and the principals of an SSH certificate.
	MaxNames = 256
	// MaxNesting bounds how deep BER values nest.
	MaxNesting = 32
	// MaxCandidates bounds the OpenPGP keys that share one key id.
	MaxCandidates = 8

	// ClockSkew is how far ahead of this machine's clock a signing time may lie.
	ClockSkew = 5 * time.Minute
)
