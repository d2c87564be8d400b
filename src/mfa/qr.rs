//! The picture that an authenticator app scans. It is made here, so that no secret goes to a service that draws it.
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use qrcode::render::svg;
use qrcode::{Color, QrCode};

use crate::base::{Error, Result};

/// Pixels of one module, and modules of the margin (ISO/IEC 18004 asks for four).
const SCALE: usize = 6;
const MARGIN: usize = 4;

/// A QR code of a text.
pub struct Picture(QrCode);

impl Picture {
    /// # Errors
    /// `Error::Internal` for a text that is too long for one.
    pub fn of(text: &str) -> Result<Self> {
        QrCode::new(text).map(Self).map_err(Error::internal)
    }

    /// As SVG, for pages.
    #[must_use]
    pub fn svg(&self) -> String {
        self.0.render::<svg::Color>().min_dimensions(200, 200).build()
    }

    /// As PNG in a `data:` URI.
    ///
    /// # Errors
    /// `Error::Internal` if it cannot be written.
    pub fn png_data_uri(&self) -> Result<String> {
        let png = self.png().map_err(Error::internal)?;
        Ok(format!("data:image/png;base64,{}", STANDARD.encode(png)))
    }

    /// One bit a pixel.
    fn png(&self) -> Result<Vec<u8>, png::EncodingError> {
        let side = (self.0.width() + 2 * MARGIN) * SCALE;
        let pixels = (0..side).flat_map(|y| self.row(y, side));
        let mut bytes = Vec::new();
        let size = u32::try_from(side).unwrap_or(u32::MAX);
        let mut encoder = png::Encoder::new(&mut bytes, size, size);
        encoder.set_color(png::ColorType::Grayscale);
        encoder.set_depth(png::BitDepth::One);
        encoder.write_header()?.write_image_data(&pixels.collect::<Vec<u8>>())?;
        Ok(bytes)
    }

    /// The pixels of a row, eight in a byte; 1 is white.
    fn row(&self, y: usize, side: usize) -> Vec<u8> {
        let module = |at: usize| (at / SCALE).checked_sub(MARGIN).filter(|at| *at < self.0.width());
        let is_dark = |x: usize| match (module(x), module(y)) {
            (Some(x), Some(y)) => self.0[(x, y)] == Color::Dark,
            _ => false,
        };
        let byte = |start: usize| (0..8).fold(0, |byte, bit| byte << 1 | u8::from(!is_dark(start + bit)));
        (0..side).step_by(8).map(byte).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_picture_has_every_module_in_its_place() {
        let picture = Picture::of("otpauth://totp/a:b?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ").unwrap();
        let png = picture.png().unwrap();
        let decoder = png::Decoder::new(std::io::Cursor::new(png));
        let mut reader = decoder.read_info().unwrap();
        let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
        let info = reader.next_frame(&mut pixels).unwrap();
        let (side, line) = (info.width as usize, info.line_size);
        assert_eq!((side, info.height as usize), ((picture.0.width() + 8) * SCALE, side));
        let white = |x: usize, y: usize| pixels[y * line + x / 8] >> (7 - x % 8) & 1 == 1;
        for y in 0..picture.0.width() {
            for x in 0..picture.0.width() {
                let at = |n: usize| (n + MARGIN) * SCALE + SCALE / 2;
                assert_eq!(white(at(x), at(y)), picture.0[(x, y)] == Color::Light, "{x} {y}");
            }
        }
        assert!(white(0, 0) && white(side - 1, side - 1));
        assert!(picture.svg().starts_with("<?xml") && picture.png_data_uri().unwrap().len() > 200);
    }
}
