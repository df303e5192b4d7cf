/* uint64_t merlin_sum(const void *data, size_t n, uint64_t h) */
#ifdef __x86_64__
	.text
	.globl	merlin_sum
	.type	merlin_sum, @function
merlin_sum:
	movq	%rdx, %rax
	movabsq	$0x100000001b3, %rcx
	leaq	(%rdi,%rsi), %rdx
1:	cmpq	%rdx, %rdi
	je	2f
	movzbl	(%rdi), %r8d
	xorq	%r8, %rax
	imulq	%rcx, %rax
	incq	%rdi
	jmp	1b
2:	ret
	.size	merlin_sum, .-merlin_sum
#endif
	.section .note.GNU-stack,"",%progbits
