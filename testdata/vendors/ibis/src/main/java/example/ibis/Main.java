package example.ibis;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;

/** The command. */
public final class Main {
    private Main() {}

    public static void main(String[] args) throws IOException {
        int bad = 0;
        try (BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8))) {
            for (String line = in.readLine(); line != null; line = in.readLine()) {
                try {
                    AccountNumber.parse(line);
                } catch (IllegalArgumentException e) {
                    System.out.println(line + ": " + e.getMessage());
                    bad++;
                }
            }
        }
        System.exit(bad == 0 ? 0 : 1);
    }
}
