// Package align finds which elements of two sequences belong together: the shortest edit of Myers (An O(ND) Difference
// Algorithm and Its Variations, 1986), within a bound.
package align

// A Block is a run in which the sides are the same, or one in which they are not: a[A0:A1] against b[B0:B1].
type Block struct {
	A0, A1, B0, B1 int
	Same           bool
}

// Blocks divides two sequences into runs. It costs at most edits times the lengths of the sequences; beyond, everything
// between the first and the last difference is one run.
func Blocks[T comparable](a, b []T, edits int) []Block {
	head := 0
	for head < len(a) && head < len(b) && a[head] == b[head] {
		head++
	}
	tail := 0
	for tail < len(a)-head && tail < len(b)-head && a[len(a)-1-tail] == b[len(b)-1-tail] {
		tail++
	}
	var out []Block
	if head > 0 {
		out = append(out, Block{0, head, 0, head, true})
	}
	if x, y := a[head:len(a)-tail], b[head:len(b)-tail]; len(x)+len(y) > 0 {
		out = append(out, middle(x, y, head, edits)...)
	}
	if tail > 0 {
		out = append(out, Block{len(a) - tail, len(a), len(b) - tail, len(b), true})
	}
	return out
}

func middle[T comparable](a, b []T, at, edits int) []Block {
	if len(a) == 0 || len(b) == 0 {
		return []Block{{at, at + len(a), at, at + len(b), false}}
	}
	pairs, ok := matches(a, b, edits)
	if !ok {
		return []Block{{at, at + len(a), at, at + len(b), false}}
	}
	var out []Block
	i, j := 0, 0
	for k := 0; k < len(pairs); {
		p := pairs[k]
		if p[0] > i || p[1] > j {
			out = append(out, Block{at + i, at + p[0], at + j, at + p[1], false})
		}
		n := 1
		for k+n < len(pairs) && pairs[k+n] == [2]int{p[0] + n, p[1] + n} {
			n++
		}
		out = append(out, Block{at + p[0], at + p[0] + n, at + p[1], at + p[1] + n, true})
		i, j, k = p[0]+n, p[1]+n, k+n
	}
	if i < len(a) || j < len(b) {
		out = append(out, Block{at + i, at + len(a), at + j, at + len(b), false})
	}
	return out
}

// matches returns the pairs of equal elements on a shortest edit path, in order.
func matches[T comparable](a, b []T, edits int) ([][2]int, bool) {
	edits = min(edits, len(a)+len(b))
	v := make([]int, 2*edits+3)
	mid := edits + 1
	var trace [][]int
	for d := 0; d <= edits; d++ {
		trace = append(trace, append([]int(nil), v[mid-d:mid+d+1]...))
		for k := -d; k <= d; k += 2 {
			x := 0
			if k == -d || k != d && v[mid+k-1] < v[mid+k+1] {
				x = v[mid+k+1]
			} else {
				x = v[mid+k-1] + 1
			}
			y := x - k
			for x < len(a) && y < len(b) && x >= 0 && y >= 0 && a[x] == b[y] {
				x, y = x+1, y+1
			}
			v[mid+k] = x
			if x >= len(a) && y >= len(b) {
				return walkBack(trace, len(a), len(b)), true
			}
		}
	}
	return nil, false
}

// walkBack follows the path back from the end. trace[d] holds the furthest points before round d, diagonals -d..d.
func walkBack(trace [][]int, x, y int) [][2]int {
	var pairs [][2]int
	for d := len(trace) - 1; d >= 0; d-- {
		at := func(k int) int {
			if k < -d || k > d {
				return -1
			}
			return trace[d][k+d]
		}
		k := x - y
		prev := k - 1
		if k == -d || k != d && at(k-1) < at(k+1) {
			prev = k + 1
		}
		px := 0
		if d > 0 {
			px = at(prev)
		}
		py := px - prev
		if d == 0 {
			px, py = 0, 0
		}
		for x > px && y > py && x > 0 && y > 0 {
			x, y = x-1, y-1
			pairs = append(pairs, [2]int{x, y})
		}
		x, y = px, py
	}
	for i, j := 0, len(pairs)-1; i < j; i, j = i+1, j-1 {
		pairs[i], pairs[j] = pairs[j], pairs[i]
	}
	return pairs
}
