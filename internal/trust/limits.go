package trust

// Every limit on what is read or counted, enforced before parsing. A policy is the auditor's own, but the key files
// that it names often come from somebody else.
const (
	// MaxPrincipals bounds the principals of one policy, those of allowed_signers files included.
	MaxPrincipals = 4096
	// MaxGroups bounds the groups of one policy.
	MaxGroups = 512
	// MaxMembers bounds the direct members of one group.
	MaxMembers = 1024
	// MaxGroupDepth bounds how deep groups nest.
	MaxGroupDepth = 16
	// MaxKeysPerPrincipal bounds the keys of one kind under one name.
	MaxKeysPerPrincipal = 256
	// MaxName bounds the bytes of a principal's or group's name.
	MaxName = 256
	// MaxPattern bounds the bytes of an identity, an issuer or an OpenSSH pattern list, and of a name that could fit one.
	MaxPattern = 2048
	// MaxLine bounds one line of a key list.
	MaxLine = 16 << 10
	// MaxAllowedSigners bounds one allowed_signers file or plain list of revoked keys.
	MaxAllowedSigners = 4 << 20
	// MaxKRL bounds one OpenSSH key revocation list.
	MaxKRL = 16 << 20
	// MaxKRLBitmap bounds the bytes of one serial bitmap of a revocation list.
	MaxKRLBitmap = 1 << 20
	// MaxOpenPGP bounds one OpenPGP key file, armoured or not.
	MaxOpenPGP = 4 << 20
	// MaxOpenPGPCertificates bounds the certificates in one OpenPGP key file.
	MaxOpenPGPCertificates = 256
	// MaxOpenPGPSignatures bounds the signatures on one certificate that are looked at.
	MaxOpenPGPSignatures = 1024
	// MaxPEM bounds one PEM file of certificates or public keys.
	MaxPEM = 1 << 20
	// MaxPEMBlocks bounds the blocks in one PEM file.
	MaxPEMBlocks = 256
	// MinRSABits is the smallest RSA key that may stand for anybody.
	MinRSABits = 2047
	// MaxRSABits is the largest RSA key whose arithmetic is worth waiting for.
	MaxRSABits = 16384

	// satisfySteps bounds the search for disjoint signers of overlapping groups; beyond it the group is not satisfied.
	satisfySteps = 1 << 18
	// diverseSteps bounds the search for signers who differ from each other; beyond it the group is not satisfied.
	diverseSteps = 1 << 14
)
