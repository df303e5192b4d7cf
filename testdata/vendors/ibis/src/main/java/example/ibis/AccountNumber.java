package example.ibis;

import java.math.BigInteger;
import java.util.Map;

/** An account number as ISO 13616 has it. */
public record AccountNumber(String country, String check, String account) {
    private static final Map<String, Integer> LENGTHS = Map.of("AT", 20, "BE", 16, "CH", 21, "DE", 22, "FR", 27, "GB", 22, "NL", 18);
    private static final BigInteger MODULUS = BigInteger.valueOf(97);

    /** Reads a number, with or without blanks. */
    public static AccountNumber parse(String text) {
        String plain = text.replace(" ", "");
        if (!plain.matches("[A-Z]{2}[0-9]{2}[A-Z0-9]+")) {
            throw new IllegalArgumentException("malformed");
        }
        Integer length = LENGTHS.get(plain.substring(0, 2));
        if (length == null) {
            throw new IllegalArgumentException("unknown country");
        }
        if (plain.length() != length) {
            throw new IllegalArgumentException("wrong length");
        }
        AccountNumber number = new AccountNumber(plain.substring(0, 2), plain.substring(2, 4), plain.substring(4));
        if (!number.valid()) {
            throw new IllegalArgumentException("wrong check digits");
        }
        return number;
    }

    private boolean valid() {
        StringBuilder digits = new StringBuilder();
        (account + country + check).chars().forEach(c -> digits.append(Character.digit(c, 36)));
        return new BigInteger(digits.toString()).mod(MODULUS).equals(BigInteger.ONE);
    }
}
