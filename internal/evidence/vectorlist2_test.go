package evidence_test

import (
	"strings"
	"time"

	"github.com/glassbuild/glassbuild/internal/evidence/evidencetest"
)

func (l *list) windows() {
	at := evidencetest.At
	end := at.Add(-time.Hour)
	l.add("49-leaf-expired", "certificate not valid at", "certificate not valid at", "The certificate had expired when it was used.", l.i.Attest(honest(), evidencetest.Leaf{From: at.Add(-time.Hour)}).JSON())
	l.add("49-leaf-early", "certificate not valid at", "certificate not valid at", "The certificate was not valid yet when it was used.", l.i.Attest(honest(), evidencetest.Leaf{From: at.Add(time.Hour)}).JSON())
	old := evidencetest.New(l.t, "old")
	old.Reissue(at.AddDate(-1, 0, 0), at.AddDate(0, -1, 0))
	l.add("49-intermediate-expired", "certificate not valid at", "certificate not valid at", "The issuer's certificate had expired.", old.Attest(honest(), evidencetest.Leaf{}).JSON(), func(v *vector) { v.Root = old.TrustedRoot(evidencetest.Spans{}) })
	l.add("49-authority-ended", "certificate not valid at", "authority not valid at", "The trusted root no longer counted the authority.", l.bundle(func(*evidencetest.Bundle) {}), func(v *vector) {
		v.Root = l.i.TrustedRoot(evidencetest.Spans{CA: evidencetest.Span{End: &end}})
	})
	l.add("49-other-authority", "certificate not valid at", "certificate chains to no trusted authority", "An authority of the same name, and another key.", imposter(l), func(*vector) {})
	l.add("49-second-time-outside", "certificate not valid at", "certificate not valid at", "One of two proved times lies outside the certificate's window.", l.bundle(func(b *evidencetest.Bundle) {
		b.Stamps = nil
		b.Stamp(at.Add(time.Hour))
	}), func(v *vector) { v.Options.Now = at.Add(3 * time.Hour) })
	l.add("50-log-ended", "key not valid at", "key not valid at", "The log's key no longer counted.", l.bundle(func(*evidencetest.Bundle) {}), func(v *vector) {
		v.Root = l.i.TrustedRoot(evidencetest.Spans{Rekor1: evidencetest.Span{End: &end}})
	})
	l.add("50-log-later", "key not valid at", "key not valid at", "The log's key did not count yet.", l.bundle(func(*evidencetest.Bundle) {}), func(v *vector) {
		v.Root = l.i.TrustedRoot(evidencetest.Spans{Rekor1: evidencetest.Span{Start: at.Add(time.Minute)}})
	})
	l.add("50-rekor2-ended", "key not valid at", "key not valid at", "The key of the log of version 2 no longer counted.", l.i.AttestV2(honest(), evidencetest.Leaf{}).JSON(), func(v *vector) {
		v.Root = l.i.TrustedRoot(evidencetest.Spans{Rekor2: evidencetest.Span{End: &end}})
	})
	timeless := l.i.AttestKey(honest(), evidencetest.Key("signer"))
	timeless.Entries = nil
	l.add("50-no-time-log-ended", "key not valid at", "log's key not valid at", "Signed by a key and logged by a log that has ended; nobody says when.", timeless.Log2().JSON(), func(v *vector) {
		v.Root = l.i.TrustedRoot(evidencetest.Spans{Rekor2: evidencetest.Span{End: &end}})
		v.Options.Principals = []principal{{Name: "signer", Key: string(evidencetest.PublicPEM(l.t, evidencetest.Key("signer").Public()))}}
	})
	l.add("50-principal-ended", "key not valid at", "key not valid at", "The policy counts the principal only earlier.", l.bundle(func(*evidencetest.Bundle) {}), func(v *vector) { v.Options.Principals[0].Valid = "2025-01-01..2026-03-03" })
	l.add("51-missing", "no SCT", "no SCT", "A certificate without a promise to publish it.", l.i.Attest(honest(), evidencetest.Leaf{NoSCT: true}).JSON())
	l.add("51-unknown-log", "no SCT", "no SCT", "A promise by a log that is not trusted.", l.i.Attest(honest(), evidencetest.Leaf{CTKey: evidencetest.Key("another ct")}).JSON())
	l.add("51-log-ended", "no SCT", "no SCT", "A promise by a log that no longer counted.", l.bundle(func(*evidencetest.Bundle) {}), func(v *vector) {
		v.Root = l.i.TrustedRoot(evidencetest.Spans{CT: evidencetest.Span{End: &end}})
	})
	l.timestamps()
}

// imposter issues under the instance's names, with keys of its own.
func imposter(l *list) []byte {
	fake := evidencetest.New(l.t, "vectors")
	fake.Imposter("imposter")
	fake.CTLog, fake.Rekor1 = l.i.CTLog, l.i.Rekor1
	b := fake.Attest(honest(), evidencetest.Leaf{})
	b.Stamps = nil
	return b.JSON()
}

func (l *list) timestamps() {
	const gist = "timestamp untrusted"
	at := evidencetest.At
	strange := evidencetest.New(l.t, "strange")
	stamped := func(stamp func(b *evidencetest.Bundle) []byte) []byte {
		b := l.i.AttestV2(honest(), evidencetest.Leaf{})
		b.Stamps = [][]byte{stamp(b)}
		return b.JSON()
	}
	l.add("52-other-authority", gist, gist, "A timestamp of an authority that is not trusted.", stamped(func(b *evidencetest.Bundle) []byte { return strange.Timestamp(b.Signatures[0], at) }))
	l.add("52-decoy-first", gist, gist, "A timestamp of an untrusted authority whose bag of certificates holds the trusted one first.", stamped(func(b *evidencetest.Bundle) []byte {
		return strange.TimestampWithDecoy(b.Signatures[0], at, l.i.TSA)
	}))
	l.add("52-other-signature", gist, gist, "A timestamp of another signature.", stamped(func(*evidencetest.Bundle) []byte { return l.i.Timestamp([]byte("another"), at) }))
	l.add("52-garbage", gist, gist, "Bytes that are no timestamp.", stamped(func(*evidencetest.Bundle) []byte { return []byte("tomorrow") }))
	end := at.Add(-time.Hour)
	l.add("52-authority-ended", gist, gist, "The trusted root no longer counted the authority.", stamped(func(b *evidencetest.Bundle) []byte { return l.i.Timestamp(b.Signatures[0], at) }), func(v *vector) {
		v.Root = l.i.TrustedRoot(evidencetest.Spans{TSA: evidencetest.Span{End: &end}})
	})
	none := l.i.AttestV2(honest(), evidencetest.Leaf{})
	none.Stamps = nil
	l.add("52-none", gist, "no trusted time", "Nobody says when it was signed.", none.JSON())
	l.add("53-log", "timestamp in future", "timestamp in future", "The log's time lies ahead of the clock.", l.bundle(func(*evidencetest.Bundle) {}), func(v *vector) { v.Options.Now = at.Add(-6 * time.Minute) })
	l.add("53-timestamp", "timestamp in future", "timestamp in future", "The timestamp lies ahead of the clock.", l.i.AttestV2(honest(), evidencetest.Leaf{}).JSON(), func(v *vector) { v.Options.Now = at.Add(-6 * time.Minute) })
}

func (l *list) identities() {
	as := func(identity, issuer string) []byte {
		return l.i.Attest(honest(), evidencetest.Leaf{Identity: identity, Issuer: issuer}).JSON()
	}
	const gist = "identity differs"
	l.add("54-longer", gist, gist, "A repository whose name begins with the right one.", as("https://forge.example/acme/tool-evil/.github/workflows/release.yml@refs/tags/v1", ""))
	l.add("54-prefix", gist, gist, "The right identity with something in front.", as("https://mallory.example/https://forge.example/acme/tool/.github/workflows/release.yml@refs/tags/v1", ""))
	l.add("54-deeper", gist, gist, "The star of the policy does not cross a slash.", as("https://forge.example/acme/tool/.github/workflows/release.yml@refs/tags/v1/x", ""))
	l.add("54-branch", gist, gist, "The right workflow on a branch.", as("https://forge.example/acme/tool/.github/workflows/release.yml@refs/heads/main", ""))
	l.add("54-letter-case", gist, gist, "The owner in another letter case.", as("https://forge.example/Acme/tool/.github/workflows/release.yml@refs/tags/v1", ""))
	l.add("54-suffix", gist, gist, "Something behind the right identity.", as(strings.Replace(evidencetest.Identity, "release.yml", "release.yml.evil", 1), ""))
	l.add("55-issuer", "issuer differs", "issuer differs", "The right identity, vouched for by another issuer.", as("", "https://token.mallory.example"))
	l.add("55-issuer-longer", "issuer differs", "issuer differs", "An issuer whose name begins with the right one.", as("", evidencetest.Issuer+".mallory.example"))
	l.add("55-issuers-disagree", "issuer differs", "names two issuers", "The certificate names two issuers.", l.i.Attest(honest(), evidencetest.Leaf{Extensions: map[int]string{8: "https://token.mallory.example"}}).JSON())
}

func (l *list) claims() {
	want := func(change func(v *vector)) func(v *vector) { return change }
	l.add("57-other-commit", "bound to other commit", "bound to other commit: "+otherCommit+", want "+toolCommit, "Honest provenance of another commit.",
		l.signed(statement(func(s object) { s["predicate"] = provenance(otherCommit) })), want(func(v *vector) { v.Options.Demand.Commit = toolCommit }))
	l.add("57-other-repository", "bound to other commit", "bound to other repository", "Honest provenance of another repository.", l.bundle(func(*evidencetest.Bundle) {}),
		want(func(v *vector) { v.Options.Demand.Repository = "https://forge.example/acme/tool2" }))
	l.add("57-workflow-disagrees", "bound to other commit", "bound to other commit: the certificate says", "Provenance of a forge's workflow that contradicts the forge's certificate.",
		l.i.Attest(statement(func(s object) {
			s["predicate"] = object{"runDetails": object{"builder": object{"id": "https://forge.example/runner"}},
				"buildDefinition": object{"buildType": "https://actions.github.io/buildtypes/workflow/v1",
					"externalParameters":   object{"workflow": object{"ref": "refs/tags/v1", "repository": toolRepo, "path": ".github/workflows/release.yml"}},
					"resolvedDependencies": []any{object{"uri": "git+" + toolRepo + "@refs/tags/v1", "digest": object{"gitCommit": toolCommit}}}}}
		}), evidencetest.Leaf{Extensions: map[int]string{12: toolRepo, 13: otherCommit, 14: "refs/tags/v1"}}).JSON(),
		want(func(v *vector) { v.Options.Demand.Commit = toolCommit }))
	l.add("57-field", "bound to other commit", "predicate.buildDefinition.externalParameters.recipe.sha256 is", "Another recipe than the one that is demanded.", l.bundle(func(*evidencetest.Bundle) {}),
		want(func(v *vector) {
			v.Options.Demand.Fields = map[string]string{"predicate.buildDefinition.externalParameters.recipe.sha256": strings.Repeat("b", 64)}
		}))
	one := string(l.i.AttestKey(honest(), evidencetest.Key("auditor a")).JSON())
	oneLine := func(s string) string { return strings.ReplaceAll(s, "\n", "") }
	auditors := func(v *vector) {
		v.Options.Need = 2
		v.Options.Principals = nil
		for _, name := range []string{"auditor a", "auditor b", "auditor c"} {
			v.Options.Principals = append(v.Options.Principals, principal{Name: name, Key: string(evidencetest.PublicPEM(l.t, evidencetest.Key(name).Public()))})
		}
	}
	again := string(l.i.AttestKey(statement(func(s object) {
		s["predicate"].(object)["runDetails"].(object)["metadata"] = object{"invocationId": "2"}
	}), evidencetest.Key("auditor a")).JSON())
	vendor := string(l.i.AttestKey(honest(), evidencetest.Key("vendor")).JSON())
	second := string(l.i.AttestKey(honest(), evidencetest.Key("auditor b")).JSON())
	const quorum = "quorum 1 of 2"
	l.add("58-same-auditor-twice", quorum, "1 of 2", "One auditor says it twice.", []byte(oneLine(one)+"\n"+oneLine(again)), auditors)
	l.add("58-same-statement-twice", quorum, "1 of 2", "One statement is handed in twice.", []byte(oneLine(one)+"\n"+oneLine(one)), auditors)
	l.add("58-vendor-among-auditors", quorum, "1 of 2", "The vendor votes beside one auditor.", []byte(oneLine(one)+"\n"+oneLine(vendor)), auditors)
	l.add("00-two-auditors", "accepted", "", "Two auditors agree.", []byte(oneLine(one)+"\n"+oneLine(second)), auditors)
	l.add("59-annotation", "not in signed statement", "ref: not in signed statement", "The ref stands in the file's name and in an unsigned annotation, and nowhere else.", l.bundle(func(*evidencetest.Bundle) {}),
		want(func(v *vector) { v.Options.Demand.Ref = "refs/tags/v1.2.3" }))
	l.add("59-field", "not in signed statement", "predicate.buildDefinition.internalParameters.reviewed: not in signed statement", "A field that the predicate does not have.", l.bundle(func(*evidencetest.Bundle) {}),
		want(func(v *vector) {
			v.Options.Demand.Fields = map[string]string{"predicate.buildDefinition.internalParameters.reviewed": "true"}
		}))
	l.add("59-extension", "not in signed statement", "certificate.source-repository-digest: not in signed statement", "A certificate extension that is not there.", l.bundle(func(*evidencetest.Bundle) {}),
		want(func(v *vector) {
			v.Options.Demand.Fields = map[string]string{"certificate.source-repository-digest": toolCommit}
		}))
}
