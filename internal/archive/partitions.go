package archive

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
)

// readPartitions reads a partition table: that of a PC (four entries, and chains of logical partitions in extended ones) or a GPT
// (UEFI specification 2.10, chapter 5). Each partition is a file, called by the number that Linux gives it. Tables of which two
// readers could see different partitions are refused: a GPT whose copy at the end differs, partitions that overlap; a GPT
// beside other entries than the protective one is inconclusive. Bytes of no partition are taken for boot code: that is where
// boot loaders lie.
func readPartitions(d *Disk) error {
	sector, err := d.read(0, mbrSize)
	if err != nil {
		return err
	}
	p := &partitioned{d: d, used: []extent{{0, mbrSize}}}
	if !allZero(sector[:mbrCode]) {
		d.regions = append(d.regions, Region{0, mbrCode, "boot code of the partition table"})
	}
	protective, others := false, false
	for i := range 4 {
		switch e := mbrEntryOf(sector, i); {
		case e.kind == 0xee:
			protective = true
		case e.kind != 0:
			others = true
		}
	}
	if unit := gptUnit(d); unit != 0 {
		if others || !protective {
			return inconclusive(d.m, "a GPT beside another partition table is not supported")
		}
		err = p.gpt(unit)
	} else {
		err = p.mbr(sector)
	}
	if err != nil {
		return err
	}
	return d.gaps(p.used, mbrSize, d.size, 1, "boot code or bytes of no partition")
}

const (
	mbrSize = 512
	mbrCode = 440
	gptHead = 92
)

type partitioned struct {
	d    *Disk
	used []extent
}

// add takes a partition.
func (p *partitioned) add(number int, at, size int64) error {
	if size <= 0 || at < 0 || at > p.d.size || size > p.d.size-at {
		return p.d.m.fail("malformed partition table: partition %d lies outside of the image", number)
	}
	for _, x := range p.used {
		if at < x.offset+x.size && x.offset < at+size {
			return p.d.m.fail("malformed partition table: partition %d overlaps another one", number)
		}
	}
	x := extent{at, size}
	p.used = append(p.used, x)
	return p.d.add(&Entry{Name: fmt.Sprintf("partition%d", number), Type: File, Mode: 0o644, Size: size}, []extent{x})
}

// mbrEntry is an entry of the table of a PC.
type mbrEntry struct {
	kind        byte
	first, size int64 // sectors of 512 bytes
}

func mbrEntryOf(sector []byte, i int) mbrEntry {
	b := sector[446+16*i:]
	return mbrEntry{b[4], int64(binary.LittleEndian.Uint32(b[8:])), int64(binary.LittleEndian.Uint32(b[12:]))}
}

func (e mbrEntry) extended() bool { return e.kind == 0x05 || e.kind == 0x0f || e.kind == 0x85 }

func (p *partitioned) mbr(sector []byte) error {
	number, logical := 0, 5
	for i := range 4 {
		e := mbrEntryOf(sector, i)
		number++
		switch {
		case e.kind == 0:
		case e.extended():
			if err := p.chain(e, &logical); err != nil {
				return err
			}
		default:
			if err := p.add(number, e.first*mbrSize, e.size*mbrSize); err != nil {
				return err
			}
		}
	}
	return nil
}

// chain follows the tables of logical partitions. Each must lie behind the one before, so that no chain goes round.
func (p *partitioned) chain(outer mbrEntry, number *int) error {
	at := outer.first
	for range maxPartitions {
		sector, err := p.d.read(at*mbrSize, mbrSize)
		if err != nil {
			return err
		}
		if sector[510] != 0x55 || sector[511] != 0xaa {
			return p.d.m.fail("malformed partition table: a logical partition has none")
		}
		p.used = append(p.used, extent{at * mbrSize, mbrSize})
		if !allZero(sector[:446]) {
			p.d.regions = append(p.d.regions, Region{at * mbrSize, 446, "boot code of a logical partition"})
		}
		e, next := mbrEntryOf(sector, 0), mbrEntryOf(sector, 1)
		if !allZero(sector[446+32:510]) || e.extended() || next.kind != 0 && !next.extended() {
			return p.d.m.fail("malformed partition table: more than one logical partition in a table")
		}
		if e.kind != 0 {
			if err := p.add(*number, (at+e.first)*mbrSize, e.size*mbrSize); err != nil {
				return err
			}
			*number++
		}
		if next.kind == 0 {
			return nil
		}
		if outer.first+next.first <= at {
			return p.d.m.fail("malformed partition table: the chain of logical partitions goes back")
		}
		at = outer.first + next.first
	}
	return p.d.m.fail("exceeds limit: more than %d partitions", maxPartitions)
}

// gptUnit is the size of a sector where a GPT begins in the second one, 0 for no GPT.
func gptUnit(d *Disk) int64 {
	for _, unit := range []int64{512, 4096} {
		if b, err := d.read(unit, 8); err == nil && string(b) == "EFI PART" {
			return unit
		}
	}
	return 0
}

// gptTable is one of the two copies of a GPT.
type gptTable struct {
	disk, entries []byte
	other         int64 // sector of the other copy
}

func (p *partitioned) gpt(unit int64) error {
	first, err := p.gptTable(1, unit)
	if err != nil {
		return err
	}
	second, err := p.gptTable(first.other, unit)
	if err != nil {
		return err
	}
	if second.other != 1 || !bytes.Equal(first.disk, second.disk) || !bytes.Equal(first.entries, second.entries) {
		return p.d.m.fail("malformed partition table: the copy of the GPT at the end is another one")
	}
	le := binary.LittleEndian
	for i := 0; i*gptEntry < len(first.entries); i++ {
		b := first.entries[i*gptEntry:]
		from, to := int64(le.Uint64(b[32:])), int64(le.Uint64(b[40:]))
		if allZero(b[:16]) {
			continue
		}
		if from < 0 || to < from || to > p.d.size/unit {
			return p.d.m.fail("malformed partition table: partition %d lies outside of the image", i+1)
		}
		if err := p.add(i+1, from*unit, (to-from+1)*unit); err != nil {
			return err
		}
	}
	return nil
}

const gptEntry = 128

// gptTable reads and checks the copy whose header lies in a sector.
func (p *partitioned) gptTable(sector, unit int64) (*gptTable, error) {
	if sector < 1 || sector > p.d.size/unit {
		return nil, p.d.m.fail("malformed partition table: a copy of the GPT lies outside of the image")
	}
	b, err := p.d.read(sector*unit, unit)
	if err != nil {
		return nil, err
	}
	le := binary.LittleEndian
	size, at := le.Uint32(b[12:]), int64(le.Uint64(b[72:]))
	count, each := int64(le.Uint32(b[80:])), le.Uint32(b[84:])
	if string(b[:8]) != "EFI PART" || size < gptHead || int64(size) > unit || int64(le.Uint64(b[24:])) != sector || each != gptEntry || count > maxPartitions || at < 0 || at > p.d.size/unit {
		return nil, p.d.m.fail("malformed partition table: header of the GPT")
	}
	head := bytes.Clone(b[:size])
	clear(head[16:20])
	entries, err := p.d.read(at*unit, count*gptEntry)
	if err != nil {
		return nil, err
	}
	if crc32.ChecksumIEEE(head) != le.Uint32(b[16:]) || crc32.ChecksumIEEE(entries) != le.Uint32(b[88:]) {
		return nil, p.d.m.fail("malformed partition table: checksum of the GPT")
	}
	p.used = append(p.used, extent{sector * unit, unit}, extent{at * unit, int64(len(entries))})
	return &gptTable{disk: b[56:72], entries: entries, other: int64(le.Uint64(b[32:]))}, nil
}

// isPartitioned asks for the mark of a PC's table and for entries that there could be: what has only the mark is boot code, or a
// file system.
func isPartitioned(head []byte) bool {
	if len(head) < 1024 || head[510] != 0x55 || head[511] != 0xaa {
		return false
	}
	some := false
	for i := range 4 {
		e := mbrEntryOf(head, i)
		if status := head[446+16*i]; status != 0 && status != 0x80 || e.kind != 0 && (e.first == 0 || e.size == 0) || e.kind == 0 && (e.first != 0 || e.size != 0) {
			return false
		}
		some = some || e.kind != 0
	}
	return some
}
